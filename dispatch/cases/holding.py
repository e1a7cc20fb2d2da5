"""Holding a case that came back from a backup: nothing rings for it before somebody had the time to close it. Pure."""

from __future__ import annotations

from dispatch.cases.case import Case
from dispatch.cases.commands import Hold, Pause
from dispatch.cases.evolving import RESTORE, evolve
from dispatch.cases.fallback import follows
from dispatch.cases.widening import pause
from dispatch.events import CallOutcome, CallsRecorded, Event, FellBack, NextCall

NOT_RUNG = "came back from a backup before it rang"
"""What is said of a ring that was owed then, or would have followed."""


def hold(case: Case, command: Hold) -> list[Event]:
    """The escalation waits, and rings that were owed or would follow are over. Raises `Conflict` as `pause` does."""
    events = pause(case, Pause(id=command.id, at=command.at, by=RESTORE, until=command.until))
    following = tuple(
        NextCall(step=one.step, responder=one.responder, channel=channel, because="not_delivered")
        for one in follows(case)
        for channel in case.calls[one.step, one.responder].then
    )
    if following:
        events.append(FellBack(at=command.at, calls=following))
        case = evolve(case, events[-1])
    not_rung = tuple(
        CallOutcome(
            step=call.step,
            responder=call.responder,
            channel=channel,
            outcome="failed",
            at=command.at,
            reason=NOT_RUNG,
            attempt=known.attempt if (known := call.outcomes.get(channel)) is not None else 1,
        )
        for call in case.owed()
        for channel in call.owed()
    )
    if not_rung:
        events.append(CallsRecorded(at=command.at, outcomes=not_rung))
    return events
