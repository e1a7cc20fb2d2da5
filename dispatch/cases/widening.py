"""Deciding how a call widens and narrows: the next step, the stand-down, pause and resume, one more person. Pure."""

from __future__ import annotations

from datetime import datetime

from dispatch.cases.case import Case
from dispatch.cases.commands import CallOne, Pause, Policy, Resume, StandDown, TakeStep, Widen
from dispatch.cases.escalation import at_110, enough, step_at, unneeded, waits_for
from dispatch.cases.evolving import RESTORE, evolve
from dispatch.cases.hand_over import goes_to_110, is_to_hand_over, post_of_110
from dispatch.cases.not_called import require_callable
from dispatch.cases.sparing import sparing
from dispatch.errors import Conflict
from dispatch.events import (
    Because,
    Escalated,
    EscalationPaused,
    Event,
    HandedOver,
    PolicyStamped,
    RespondersCalled,
    RespondersStoodDown,
    WideningAsked,
)
from dispatch.identifiers import PersonId

TIMER = "system"
"""By whom a step is taken that nobody asked for."""


def widen(case: Case, command: Widen) -> list[Event]:
    """The wish for the next step. Whom that calls the roster says, so it is taken by who can read it."""
    return [] if case.asked is not None else [WideningAsked(at=command.at, by=command.by)]


def take_step(case: Case, command: TakeStep) -> list[Event]:
    """The step, unless it was taken already or is not due (its timer came early, twice, or after the end).

    Who has answered meanwhile is not called; under duress those who are going are, for they must know it, and so is 110
    where it has the case. Nor is whoever an operator stood down by name.
    """
    wait = waits_for(case)
    if wait is None or wait.until is None or command.at < wait.until or command.position != case.position + 1:
        return []
    stamps: list[Event] = []
    if command.plan.policy is not None:
        stamps.append(stamp_of(command.plan.policy, command.at))
        case = evolve(case, stamps[0])
    by = case.asked.by if case.asked is not None and wait.because == "operator" else TIMER
    events: list[Event] = [*stamps, Escalated(at=command.at, position=command.position, because=wait.because, by=by)]
    calls = tuple(call for call in command.plan.calls if _is_to_be_called(case, call.responder, wait.because))
    if is_to_hand_over(case):
        if "hand_over" in step_at(case, command.position).call or post_of_110(calls):
            events.append(HandedOver(at=command.at, by=by, to=post_of_110(calls)))
    elif wait.because != "duress":  # an operator did it while this was planned
        calls = tuple(call for call in calls if not goes_to_110(call))
    if calls or command.plan.gaps:
        step = case.last_step + 1
        called = RespondersCalled(at=command.at, step=step, calls=calls, gaps=command.plan.gaps)
        events += sparing(called, case.residents, silent=case.silent)
    return events


def stamp_of(policy: Policy, at: datetime) -> PolicyStamped:
    """That the case keeps to `policy` from `at` on."""
    return PolicyStamped(
        at=at,
        policy=policy.id,
        quorum=policy.quorum,
        steps=policy.steps,
        at_once=policy.at_once,
        fallback_seconds=policy.fallback_seconds,
    )


def _is_to_be_called(case: Case, person: PersonId, because: Because) -> bool:
    reply = case.replies.get(person)
    rings = reply is None or (because == "duress" and reply.answer == "going")
    return rings and person not in case.left_out and person not in case.dismissed


def call_one(case: Case, command: CallOne) -> list[Event]:
    """One more person is called, again if they were before. Raises `NotToBeCalled` and `OverAtHome`."""
    require_callable(case, command)
    return [RespondersCalled(at=command.at, step=case.last_step + 1, calls=(command.call,))]


def pause(case: Case, command: Pause) -> list[Event]:
    """The escalation waits. Raises `Conflict` when the pause would be over before it begins, or cut a hold short."""
    if command.until <= command.at:
        raise Conflict(f"a pause until {command.until.isoformat()} is over already", field="until")
    if command.by != RESTORE and case.held_until is not None and command.until < case.held_until:
        raise _held(case, case.held_until)
    if case.paused_until == command.until:
        return []
    return [EscalationPaused(at=command.at, by=command.by, until=command.until)]


def resume(case: Case, command: Resume) -> list[Event]:
    """The pause ends now; nothing where none is left. Raises `Conflict` for a case that a restore holds back."""
    if case.held_until is not None and command.at < case.held_until:
        raise _held(case, case.held_until)
    if case.paused_until is None or case.paused_until <= command.at:
        return []  # the step is due, or the policy is kept to: there is nothing to be put off
    return [EscalationPaused(at=command.at, by=command.by, until=command.at)]


def _held(case: Case, until: datetime) -> Conflict:
    """That the hold of a restore is not ended by a slip: it may be over, and what rings cannot be taken back."""
    return Conflict(
        f"case {case.id} came back from a backup and is held until {until.isoformat()}: it may be over. "
        "Widen it if it goes on; close it if it is over",
        case=case.id,
    )


def stand_down(case: Case, command: StandDown) -> list[Event]:
    """Those named, or all, who were called and have not answered, are told that they need not come."""
    by_name = bool(command.responders) and not command.rest
    left = set(unneeded(case))
    if by_name:
        left |= (at_110(case) & case.called()) - case.replies.keys() - case.stood_down
    chosen = tuple(sorted(left & set(command.responders) if command.responders else left))
    return [RespondersStoodDown(at=command.at, responders=chosen, by=command.by, by_name=by_name)] if chosen else []


def with_stand_down(case: Case, answered: Event) -> list[Event]:
    """`answered`, and the stand-down of those not needed when that answer made it enough.

    When it was enough before, the first arrival stands down those whom a step called as nobody had arrived, but for
    those whom an operator called by name; where duress was signalled nobody. A case beside such a one is as any other:
    those who pressed see who is stood down, and it is for the notices to keep it from whoever was.
    """
    after = evolve(case, answered)
    left = unneeded(after)
    if enough(case):
        arrived = case.status != "on_scene" and after.status == "on_scene" and case.duress is None
        late = case.called_late - case.asked_by_name() if arrived else frozenset()
        left = tuple(person for person in left if person in late)
    if not enough(after) or not left:
        return [answered]
    return [answered, RespondersStoodDown(at=answered.at, responders=left, by=TIMER)]
