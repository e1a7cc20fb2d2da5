"""The responses: one row per case and responder called, with when each step was first reached. See docs/LATENCY.md."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from dispatch.cases import Call, Case, Firsts
from dispatch.events import (
    AlarmRaised,
    Answer,
    CallsRecorded,
    Event,
    Kind,
    PressedAgain,
    Reason,
    ResponderCleared,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
    Role,
)
from dispatch.identifiers import AreaId, CaseId, GroupId, PersonId, Site
from dispatch.projections.projection import Change, Projection

IN_GROUP: tuple[Role, ...] = ("group_leader", "member")
NOTHING_YET = Firsts()


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
    cleared_at: datetime | None
    answer: Answer | None


def rows(change: Change) -> list[ResponseRow]:
    """Rows of the responders whom these commits touch."""
    first, alarm, kind = first_calls(change.case), change.case.alarm, change.case.kind
    return [_row(change, alarm, kind, first[responder]) for responder in touched(change) if responder in first]


def touched(change: Change) -> Iterable[PersonId]:
    """Those of whose steps the commits of `change` say something, each once."""
    events = (event for commit in change.commits for event in commit.events)
    return {person: None for event in events for person in _touched(change.case, event)}


def first_calls(case: Case) -> dict[PersonId, Call]:
    """The first call of each responder."""
    found: dict[PersonId, Call] = {}
    for (step, responder), call in case.calls.items():
        known = found.get(responder)
        if known is None or step < known.step:
            found[responder] = call
    return found


def _touched(case: Case, event: Event) -> Iterable[PersonId]:
    match event:
        case CallsRecorded():
            return [outcome.responder for outcome in event.outcomes]
        case RespondersCalled():
            return [planned.responder for planned in event.calls]
        case ResponderReplied() | ResponderCleared() | ResponderLeftOut():
            return [event.responder]
        case PressedAgain():  # it may have said what it is about
            return [responder for _, responder in case.calls]
        case _:
            return []


def _row(change: Change, alarm: AlarmRaised, kind: Kind, first: Call) -> ResponseRow:
    case, responder = change.case, first.responder
    times, reply = case.reached.get(responder, NOTHING_YET), case.replies.get(responder)
    return ResponseRow(
        site=change.site,
        case_id=alarm.case,
        responder=responder,
        step=first.step,
        role=first.reasons[0].role if first.reasons else None,
        group_id=group_of(first.reasons),
        areas=alarm.areas,
        kind=kind,
        drill=alarm.drill,
        left_out=responder in case.left_out,
        accepted_at=alarm.accepted_at,
        called_at=times.called,
        delivered_at=times.delivered,
        answered_at=times.answered,
        going_at=times.going,
        on_scene_at=times.on_scene,
        cleared_at=times.cleared,
        answer=reply.answer if reply else None,
    )


def group_of(reasons: Iterable[Reason]) -> GroupId | None:
    """The group as whose leader or member somebody was called."""
    for reason in reasons:
        if reason.role in IN_GROUP:
            return GroupId(reason.of)
    return None


PROJECTION = Projection.beside(__file__, rows)
