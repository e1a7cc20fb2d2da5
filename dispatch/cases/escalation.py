"""Escalation: what an open case waits for, and whether enough help is coming. Pure.

A case that is open always waits for something, and for how long it waits is known from its events alone. So a
timer that is late, lost or fired twice does no harm: who looks at the case sees what is due.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from dispatch.cases.case import Case
from dispatch.events import Because, PolicyStep, Quorum, Role
from dispatch.identifiers import PersonId

NEIGHBOURS: frozenset[Role] = frozenset({"group_leader", "member"})
"""In these roles somebody is a neighbour; in any other an officer."""
ASKED: frozenset[Role] = frozenset({"asked"})
"""An operator who calls somebody by name makes no officer of a neighbour."""
NEVER_PAUSED: frozenset[Because] = frozenset({"operator", "duress"})
"""What no pause holds back, and so no resume lets go on."""

FIRST_QUORUM = Quorum(anyone=2)
FIRST_STEPS = (
    PolicyStep(call=("group", "officers"), within_seconds=45),
    PolicyStep(call=("again", "neighbour_leaders"), within_seconds=45),
    PolicyStep(call=("again", "neighbour_officers", "station"), within_seconds=60),
    PolicyStep(call=("again", "command_centre"), within_seconds=60),
)
"""The policy of a case that none was stamped on (an area without one of its own)."""

UNSAID_ARRIVAL = timedelta(minutes=10)
"""Who is going and does not say when is expected by then."""
LONGEST_PATIENCE = timedelta(minutes=15)
"""A case that nobody comes to and nobody closes is not forgotten; but nor does it ring every minute for ever."""
LATENESS = timedelta(minutes=3)
"""How much later than expected the first may arrive before the call widens."""


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """What an open case waits for. At `until` the next step is due, `because` of what did not come; None: never."""

    what: Literal["answers", "arrival", "operator", "closing"]
    because: Because
    until: datetime | None


def waits_for(case: Case) -> Wait | None:
    """What `case` waits for; None only for one that has not begun or is over."""
    wait = _waits_for(case)
    if wait is None or wait.until is None:
        return wait
    not_before = case.held_until or (None if wait.because in NEVER_PAUSED else case.resumed_at)
    if not_before is None:
        return wait
    return replace(wait, until=max(wait.until, not_before))


def _waits_for(case: Case) -> Wait | None:  # noqa: PLR0911  (one return for each kind of wait)
    if not case.is_open:
        return None
    if case.duress is not None and case.owes_word_of_duress:
        return Wait(what="answers", because="duress", until=case.duress.at)
    if case.asked is not None:
        return Wait(what="operator", because="operator", until=case.asked.at)
    if case.status == "on_scene" and (enough(case) or every_step_taken(case)):
        return Wait(what="closing", because="late", until=None)
    patience = case.stepped_at + _patience(case)
    if enough(case):
        expected = _arrival(case) + LATENESS
        return Wait(what="arrival", because="late", until=max(patience, expected, case.paused_until or expected))
    if case.paused_until is not None:
        return Wait(what="operator", because="pause_over", until=case.paused_until)
    if _pointless(case):
        return Wait(what="answers", because="pointless", until=case.stepped_at)
    if case.given_up_at is not None:
        # It was enough, and is not any more: the others were told to stay at home, and nobody else is being waited for.
        seconds = step_at(case, case.position).within_seconds
        patience = min(patience, max(case.stepped_at, case.given_up_at) + timedelta(seconds=seconds))
    return Wait(what="answers", because="no_answer", until=patience)


def enough(case: Case) -> bool:
    """Whether as many are going or on scene as the policy asks for."""
    return lacking(case) == 0


def lacking(case: Case) -> int:
    """How many more, at least, must be going or on scene until it is as many as the policy asks for."""
    return _short_of(case, {person for person, reply in case.replies.items() if reply.answer != "cannot"})


def every_step_taken(case: Case) -> bool:
    """Whether the call has widened as far as its policy goes; the last step may be repeated still."""
    return case.position + 1 >= len(steps_of(case))


def steps_of(case: Case) -> tuple[PolicyStep, ...]:
    """The steps of the case's policy, the first call among them; the last is repeated while nobody comes."""
    return case.policy.steps if case.policy is not None and case.policy.steps else FIRST_STEPS


def step_at(case: Case, position: int) -> PolicyStep:
    """The step that stands at `position` (0 is the first call)."""
    steps = steps_of(case)
    return steps[min(position, len(steps) - 1)]


def unneeded(case: Case) -> tuple[PersonId, ...]:
    """Those who were called, have not answered and were not stood down; 110 decides for itself whether it comes."""
    return tuple(sorted(case.called() - case.replies.keys() - case.stood_down - at_110(case)))


def at_110(case: Case) -> set[PersonId]:
    """Those who were called at the post of 110."""
    return {
        call.responder
        for call in case.calls.values()
        if any(reason.role == "emergency_centre" for reason in call.reasons)
    }


def _patience(case: Case) -> timedelta:
    """How long to wait after the step that was taken last; twice as long after each repetition of the last step."""
    repeated = max(0, case.position + 1 - len(steps_of(case)))
    seconds = step_at(case, case.position).within_seconds
    return max(timedelta(seconds=seconds), min(timedelta(seconds=seconds * 2 ** min(repeated, 10)), LONGEST_PATIENCE))


def _pointless(case: Case) -> bool:
    """Whether those who were called cannot be enough any more, whatever they answer, and there is somebody else."""
    if every_step_taken(case):
        return False
    could = {call.responder for call in case.taking_part() if call.may_ring()} | case.replies.keys()
    refused = {person for person, reply in case.replies.items() if reply.answer == "cannot"}
    seems_over = case.residents if case.duress is not None else frozenset()  # to them, and so they cannot answer
    return _short_of(case, could - refused - seems_over - case.dismissed) > 0


def _short_of(case: Case, people: Iterable[PersonId]) -> int:
    quorum = case.policy.quorum if case.policy is not None else FIRST_QUORUM
    coming = set(people)
    officers = len(coming & _officers(case))
    neighbours = len(coming) - officers
    named = max(quorum.neighbours - neighbours, 0) + max(quorum.officers - officers, 0)
    return max(named, max(quorum.anyone, 1) - len(coming))


def _officers(case: Case) -> set[PersonId]:
    """Those who were called as anything but a neighbour, in any step; a call by name says nothing of who they are."""
    roles: dict[PersonId, set[Role]] = {}
    for call in case.calls.values():
        roles.setdefault(call.responder, set()).update(reason.role for reason in call.reasons)
    return {person for person, known in roles.items() if not (known - ASKED or known) <= NEIGHBOURS}


def _arrival(case: Case) -> datetime:
    """When the first of those who are going is expected."""
    return min(reply.eta_at or reply.at + UNSAID_ARRIVAL for reply in case.replies.values() if reply.answer == "going")
