"""The timeline: one row per event of a case."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from msgspec.structs import asdict

from dispatch.events import Event
from dispatch.identifiers import CaseId, Site
from dispatch.projections.projection import Change, Projection


class TimelineRow(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a case. `type` is the event's without its version, `data` its other fields at their newest."""

    site: Site
    case_id: CaseId
    accepted_at: datetime
    seq: int
    index: int
    at: datetime
    type: str
    data: dict[str, Any]


def rows(change: Change) -> list[TimelineRow]:
    return [
        TimelineRow(
            site=change.site,
            case_id=commit.case,
            accepted_at=change.case.alarm.accepted_at,
            seq=commit.seq,
            index=index,
            at=event.at,
            type=_name_of(type(event)),
            data=_data_of(event),
        )
        for commit in change.commits
        for index, event in enumerate(commit.events)
    ]


@cache
def _name_of(kind: type[Event]) -> str:
    """The name of a type of event without its version."""
    return str(kind.__struct_config__.tag).rpartition(".")[0]


def _data_of(event: Event) -> dict[str, Any]:
    data = asdict(event)
    del data["at"]
    return data


PROJECTION = Projection.beside(__file__, rows)
