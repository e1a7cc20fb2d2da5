"""Whom the call truly reaches next, for those at home: a step whose post nobody holds rings nobody. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from dispatch.cases.case import Case
from dispatch.cases.escalation import at_110, step_at, steps_of, waits_for
from dispatch.cases.hand_over import is_to_hand_over
from dispatch.events import PolicyStep, Target
from dispatch.identifiers import PersonId


class NextCall(msgspec.Struct, frozen=True):
    """`targets` are called `at` that time, unless enough have answered by then."""

    targets: tuple[Target, ...]
    at: datetime


def next_call(
    case: Case, aid: Mapping[Target, Collection[PersonId]], mute: Collection[PersonId] = ()
) -> NextCall | None:
    """The next step of `case` that rings somebody; None where none that is to come does, or no step is.

    `aid` says whom the roster has for each target now, `mute` whom nothing can ring any more. A step that rings nobody
    is passed over with its time.
    """
    wait = waits_for(case)
    if wait is None or wait.until is None:
        return None
    at, last = wait.until, len(steps_of(case)) - 1
    for position in range(case.position + 1, max(last, case.position + 1) + 1):
        step = step_at(case, position)
        if targets := _ringing(case, step, aid, mute):
            return NextCall(targets, at)
        at += timedelta(seconds=step.within_seconds)
    return None


def upcoming(case: Case) -> set[Target]:
    """The targets of all steps that are to come; the last is repeated."""
    return {
        target for step in steps_of(case)[min(case.position + 1, len(steps_of(case)) - 1) :] for target in step.call
    }


def _ringing(
    case: Case, step: PolicyStep, aid: Mapping[Target, Collection[PersonId]], mute: Collection[PersonId]
) -> tuple[Target, ...]:
    deaf = case.replies.keys() | case.left_out | case.dismissed | set(mute)
    if case.silent:
        deaf |= case.residents
    again = case.called() - at_110(case) - deaf
    rung = {target: set(people) - deaf for target, people in aid.items() if target in step.call}
    if not is_to_hand_over(case):
        rung.pop("hand_over", None)
    # Whoever was called before is not announced as somebody else.
    new: dict[Target, set[PersonId]] = {target: people - again for target, people in rung.items()} | {"again": again}
    targets = tuple(target for target in step.call if new.get(target))
    # Whoever was stood down is called by any step: it is not enough any more.
    back = again & case.stood_down.union(*rung.values())
    return (*targets, "again") if back and "again" not in targets else targets
