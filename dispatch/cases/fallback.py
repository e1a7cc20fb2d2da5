"""Falling back: who was called and is not reached, which of their channels rings next, and when. Pure.

Like the steps of escalation, what is due is known from the case's events alone; a timer is but a hint.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from dispatch.cases.case import Case
from dispatch.cases.commands import FallBack
from dispatch.cases.escalation import waits_for
from dispatch.cases.parts import OUTCOME_RANK, Call
from dispatch.cases.sparing import is_spared
from dispatch.events import Channel, Event, FellBack, NextBecause, NextCall
from dispatch.identifiers import PersonId

FIRST_FALLBACK_SECONDS = 15
"""For a case that no policy was stamped on."""


class Follows(msgspec.Struct, frozen=True, kw_only=True):
    """The channel that rings next for a responder, unless they are reached before `at`."""

    step: int
    responder: PersonId
    channel: Channel
    because: NextBecause
    at: datetime


def follows(case: Case) -> tuple[Follows, ...]:
    """What rings next: for everybody whose newest call has a channel left, and who is not reached and still wanted."""
    newest = {call.responder: call for call in sorted(case.taking_part(), key=lambda call: call.step)}
    next_ones = (_next(case, call) for call in newest.values())
    return tuple(one for one in next_ones if one is not None and still_wanted(case, one.responder))


def still_wanted(case: Case, person: PersonId) -> bool:
    """Whether `person` is still to be reached: since they were called, they neither answered nor were stood down.

    Whether it is enough does not matter here: who is not needed is stood down, and who is called all the same is
    (because those who were coming are late, or by hand, or at 110).
    """
    if case.silent and person in case.residents:  # nothing may be heard where they live
        return False
    return case.is_open and person in case.awaited


def still_rings(case: Case, call: Call) -> bool:
    """Whether `call` is still to be made: nobody closed the case or stood them down, and they said nothing since it.

    Who answered before is called again all the same: that others are enough, or that they cannot come, was known. Where
    nothing may be heard any more it is not made, unless by name.
    """
    if is_spared(case, call):
        return False
    reply = case.replies.get(call.responder)
    silent = reply is None or reply.at < call.called_at
    return case.is_open and silent and call.responder not in case.stood_down | case.left_out


def due_at(case: Case) -> datetime | None:
    """When something is to be done on `case`, a step or a next channel; None when nothing ever is."""
    wait = waits_for(case)
    moments = [one.at for one in follows(case)]
    if wait is not None and wait.until is not None:
        moments.append(wait.until)
    return min(moments, default=None)


def fall_back(case: Case, command: FallBack) -> list[Event]:
    """The next channels that are due; nothing when they were rung already (a timer came early, twice, or too late)."""
    due = tuple(
        NextCall(step=one.step, responder=one.responder, channel=one.channel, because=one.because)
        for one in follows(case)
        if one.at <= command.at
    )
    return [FellBack(at=command.at, calls=due)] if due else []


def _next(case: Case, call: Call) -> Follows | None:
    if not call.then:
        return None
    best = call.best()
    if best is not None and OUTCOME_RANK[best.outcome] >= OUTCOME_RANK["delivered"]:
        return None
    known = [outcome for channel in call.channels if (outcome := call.outcomes.get(channel)) is not None]
    because: NextBecause = "not_delivered"
    at = call.rung_at + timedelta(seconds=_patience(case))
    if len(known) == len(call.channels) and all(outcome.outcome == "failed" for outcome in known):
        because, at = "failed", max((call.rung_at, *(outcome.at for outcome in known)))
    return Follows(step=call.step, responder=call.responder, channel=call.then[0], because=because, at=at)


def _patience(case: Case) -> int:
    return case.policy.fallback_seconds if case.policy is not None else FIRST_FALLBACK_SECONDS
