"""Why a call was not made, where that says nothing of the channel that it would have gone over."""

from __future__ import annotations

from dispatch.cases import NOT_RUNG, Call, Case, is_spared, still_rings

CLOSED = "case closed before the call"
NOT_WANTED = "answered or stood down before this channel rang"
LEFT_OUT = "left out before this channel rang"
AT_HOME = "lives there, where nothing may be heard any more"
MADE_ELSEWHERE = "another process made this ring meanwhile"
NOT_MADE = frozenset({CLOSED, NOT_WANTED, LEFT_OUT, AT_HOME, MADE_ELSEWHERE, NOT_RUNG})


def why_not(case: Case, call: Call) -> str | None:
    """Why `call`, which has waited for its turn, is not to be made any more; None where it is."""
    if not case.as_known_by(call.responder).is_open:
        return CLOSED
    if call.responder in case.left_out:
        return LEFT_OUT
    if is_spared(case, call):
        return AT_HOME
    return None if still_rings(case, call) else NOT_WANTED
