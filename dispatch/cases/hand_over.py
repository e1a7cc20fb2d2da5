"""Handing a case over to 110. It stays open, and the neighbours keep coming: 110 is one more who knows. Pure."""

from __future__ import annotations

from dispatch.cases.case import Case
from dispatch.cases.commands import HandOver
from dispatch.cases.parts import Call
from dispatch.errors import Conflict
from dispatch.events import Event, HandedOver, PlannedCall, RespondersCalled
from dispatch.identifiers import PersonId


def hand_over(case: Case, command: HandOver) -> list[Event]:
    """The hand-over, and the calls to the post of 110. Raises `Conflict` for a second one that was not meant."""
    known = case.handed_over
    if known is not None and not command.again:
        raise Conflict(
            f"case {case.id} was handed over to 110 at {known.at.isoformat()} by {known.by}; "
            "send again=true to do it once more",
            field="again",
            handed_over_at=known.at.isoformat(),
        )
    calls = tuple(call for call in command.calls if call.responder not in case.left_out)
    called = RespondersCalled(at=command.at, step=case.last_step + 1, calls=calls, gaps=command.gaps)
    return [HandedOver(at=command.at, by=command.by, to=post_of_110(calls)), called]


def is_to_hand_over(case: Case) -> bool:
    """Whether 110 does not have the case: it was never handed over, or nobody there could be called."""
    known = case.handed_over
    if known is None:
        return True
    return not any(call.may_ring() for call in case.calls.values() if call.responder in known.to)


def goes_to_110(call: PlannedCall | Call) -> bool:
    """Whether somebody is called at the post of 110."""
    return any(reason.role == "emergency_centre" for reason in call.reasons)


def post_of_110(calls: tuple[PlannedCall, ...]) -> tuple[PersonId, ...]:
    """Those of `calls` who stand there."""
    return tuple(call.responder for call in calls if goes_to_110(call))
