"""The responses: one row per case and responder called, with when each step was first reached. See docs/LATENCY.md."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from dispatch.cases import Case, Firsts
from dispatch.events import (
    Answer,
    CallsRecorded,
    Event,
    Kind,
    PressedAgain,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
    Role,
)
from dispatch.identifiers import AreaId, CaseId, GroupId, PersonId, Site
from dispatch.projections.projection import Change, Projection

IN_GROUP: tuple[Role, ...] = ("group_leader", "member")


class ResponseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A responder on a case; `step` is the first in which they were called. The table makes the seconds between.

    `role` is why they were called before all, `group_id` the group as whose leader or member; `answer` the latest.
    """

    site: Site
    case_id: CaseId
    responder: PersonId
    step: int
    role: Role | None
    group_id: GroupId | None
    areas: tuple[AreaId, ...]
    kind: Kind
    drill: bool
    left_out: bool
    accepted_at: datetime
    called_at: datetime | None
    delivered_at: datetime | None
    answered_at: datetime | None
    going_at: datetime | None
    on_scene_at: datetime | None
    answer: Answer | None


def rows(change: Change) -> list[ResponseRow]:
    """Rows of the responders whom these commits touch."""
    events = (event for commit in change.commits for event in commit.events)
    touched = {person: None for event in events for person in _touched(change.case, event)}
    called = {call.responder for call in change.case.calls.values()}
    return [_row(change, responder) for responder in touched if responder in called]


def _touched(case: Case, event: Event) -> Iterable[PersonId]:
    match event:
        case RespondersCalled():
            return [planned.responder for planned in event.calls]
        case CallsRecorded():
            return [outcome.responder for outcome in event.outcomes]
        case ResponderReplied() | ResponderLeftOut():
            return [event.responder]
        case PressedAgain():  # it may have said what it is about
            return [responder for _, responder in case.calls]
        case _:
            return []


def _row(change: Change, responder: PersonId) -> ResponseRow:
    case, alarm = change.case, change.case.alarm
    first = min((call for call in case.calls.values() if call.responder == responder), key=lambda call: call.step)
    times, reply = case.reached.get(responder, Firsts()), case.replies.get(responder)
    return ResponseRow(
        site=change.site,
        case_id=alarm.case,
        responder=responder,
        step=first.step,
        role=next((reason.role for reason in first.reasons), None),
        group_id=next((GroupId(reason.of) for reason in first.reasons if reason.role in IN_GROUP), None),
        areas=alarm.areas,
        kind=case.kind,
        drill=alarm.drill,
        left_out=responder in case.left_out,
        accepted_at=alarm.accepted_at,
        called_at=times.called,
        delivered_at=times.delivered,
        answered_at=times.answered,
        going_at=times.going,
        on_scene_at=times.on_scene,
        answer=reply.answer if reply else None,
    )


PROJECTION = Projection.beside(__file__, rows)
