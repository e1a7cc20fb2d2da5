"""The calls: one row per case, step, responder and channel, with what came of it and what they answered."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

import msgspec

from dispatch.cases import Case
from dispatch.events import (
    AlarmRaised,
    Answer,
    CallsRecorded,
    Channel,
    FellBack,
    Outcome,
    Reason,
    ResponderReplied,
    RespondersCalled,
)
from dispatch.identifiers import CaseId, PersonId, Site
from dispatch.projections.projection import Change, Projection

Key = tuple[int, PersonId, Channel]
Times = dict[Outcome, datetime]


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """A call over one channel. `outcome` is None while it is owed; `…_at` is when each outcome was first known."""

    site: Site
    case_id: CaseId
    accepted_at: datetime
    step: int
    responder: PersonId
    channel: Channel
    reasons: tuple[Reason, ...]
    called_at: datetime
    outcome: Outcome | None
    reason: str | None
    attempts: int
    at: datetime | None
    unknown_at: datetime | None
    failed_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    seen_at: datetime | None
    answer: Answer | None
    eta_minutes: int | None
    answered_at: datetime | None


def rows(change: Change) -> list[CallRow]:
    """Rows of the calls that these commits touch; times that they do not tell are left to what is stored."""
    touched: dict[Key, Times] = {}
    answered: set[PersonId] = set()
    for commit in change.commits:
        for event in commit.events:
            match event:
                case CallsRecorded():
                    _note_times(touched, event)
                case ResponderReplied():
                    answered.add(event.responder)
                case RespondersCalled() | FellBack():
                    for key in _rung(event):
                        touched.setdefault(key, {})
                case _:
                    pass
    for key in _calls_of(change.case, answered):
        touched.setdefault(key, {})
    alarm = change.case.alarm
    return [_row(change, alarm, key, times) for key, times in touched.items()]


def _rung(event: RespondersCalled | FellBack) -> list[Key]:
    """The calls that are owed from this event on."""
    if isinstance(event, FellBack):
        return [(call.step, call.responder, call.channel) for call in event.calls]
    return [(event.step, call.responder, channel) for call in event.calls for channel in call.channels]


def _calls_of(case: Case, people: Container[PersonId]) -> list[Key]:
    """The calls of `people`, over every channel that rang."""
    return [
        (call.step, call.responder, channel)
        for call in case.calls.values()
        if call.responder in people
        for channel in (*call.channels, *call.outcomes)
    ]


def _note_times(touched: dict[Key, Times], event: CallsRecorded) -> None:
    for outcome in event.outcomes:
        times = touched.setdefault((outcome.step, outcome.responder, outcome.channel), {})
        known = times.get(outcome.outcome)
        if known is None or outcome.at < known:
            times[outcome.outcome] = outcome.at


def _row(change: Change, alarm: AlarmRaised, key: Key, times: Times) -> CallRow:
    step, responder, channel = key
    call = change.case.calls[step, responder]
    outcome, reply = call.outcomes.get(channel), change.case.replies.get(responder)
    return CallRow(
        site=change.site,
        case_id=alarm.case,
        accepted_at=alarm.accepted_at,
        step=step,
        responder=responder,
        channel=channel,
        reasons=call.reasons,
        called_at=call.asked_at(channel),
        outcome=outcome.outcome if outcome else None,
        reason=outcome.reason if outcome else None,
        attempts=outcome.attempt if outcome else 0,
        at=outcome.at if outcome else None,
        unknown_at=times.get("unknown"),
        failed_at=times.get("failed"),
        sent_at=times.get("sent"),
        delivered_at=times.get("delivered"),
        seen_at=times.get("seen"),
        answer=reply.answer if reply else None,
        eta_minutes=reply.eta_minutes if reply else None,
        answered_at=reply.at if reply else None,
    )


PROJECTION = Projection.beside(__file__, rows)
