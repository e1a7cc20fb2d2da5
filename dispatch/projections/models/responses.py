"""The responses: one row per case and responder called, with when each step was first reached. See docs/LATENCY.md."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from dispatch.cases import OUTCOME_RANK, Case
from dispatch.events import CallsRecorded, Event, Kind, ResponderReplied, RespondersCalled
from dispatch.identifiers import AreaId, CaseId, PersonId, Site
from dispatch.projections.projection import Change, Projection

Step = Literal["called", "delivered", "answered", "going", "on_scene"]
Times = dict[Step, datetime]


class ResponseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A responder on a case; `step` is the first in which they were called. The table makes the seconds between."""

    site: Site
    case_id: CaseId
    responder: PersonId
    step: int
    areas: tuple[AreaId, ...]
    kind: Kind
    drill: bool
    accepted_at: datetime
    called_at: datetime | None
    delivered_at: datetime | None
    answered_at: datetime | None
    going_at: datetime | None
    on_scene_at: datetime | None


def rows(change: Change) -> list[ResponseRow]:
    """Rows of the responders whom these commits touch; times that they do not tell are left to what is stored."""
    touched: dict[PersonId, Times] = {}
    for commit in change.commits:
        for event in commit.events:
            if isinstance(event, RespondersCalled):
                for planned in event.calls:
                    touched.setdefault(planned.responder, {})
            for responder, step, at in _reached(event):
                times = touched.setdefault(responder, {})
                known = times.get(step)
                if known is None or at < known:
                    times[step] = at
    first_step = _first_steps(change.case)
    return [_row(change, responder, first_step[responder], times) for responder, times in touched.items()]


def _first_steps(case: Case) -> dict[PersonId, int]:
    """In which step each responder was called first."""
    found: dict[PersonId, int] = {}
    for step, responder in case.calls:
        if step < found.get(responder, step + 1):
            found[responder] = step
    return found


def _reached(event: Event) -> Iterator[tuple[PersonId, Step, datetime]]:
    match event:
        case CallsRecorded():
            for outcome in event.outcomes:
                rank = OUTCOME_RANK[outcome.outcome]
                if rank >= OUTCOME_RANK["sent"]:
                    yield outcome.responder, "called", outcome.at
                if rank >= OUTCOME_RANK["delivered"]:
                    yield outcome.responder, "delivered", outcome.at
        case ResponderReplied():
            yield event.responder, "answered", event.at
            if event.answer != "cannot":
                yield event.responder, event.answer, event.at
        case _:
            pass


def _row(change: Change, responder: PersonId, step: int, times: Times) -> ResponseRow:
    alarm = change.case.alarm
    return ResponseRow(
        site=change.site,
        case_id=alarm.case,
        responder=responder,
        step=step,
        areas=alarm.areas,
        kind=alarm.kind,
        drill=alarm.drill,
        accepted_at=alarm.accepted_at,
        called_at=times.get("called"),
        delivered_at=times.get("delivered"),
        answered_at=times.get("answered"),
        going_at=times.get("going"),
        on_scene_at=times.get("on_scene"),
    )


PROJECTION = Projection.beside(__file__, rows)
