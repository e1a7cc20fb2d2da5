"""The timeline: one row per event of a case."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from dispatch.events import Event
from dispatch.identifiers import CaseId, Site
from dispatch.projections.projection import Change, Projection


class TimelineRow(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a case. `type` is the event's without its version, `data` its other fields at their newest."""

    site: Site
    case_id: CaseId
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
            seq=commit.seq,
            index=index,
            at=event.at,
            type=_type_of(event),
            data=_data_of(event),
        )
        for commit in change.commits
        for index, event in enumerate(commit.events)
    ]


def _type_of(event: Event) -> str:
    return str(event.__struct_config__.tag).rpartition(".")[0]


def _data_of(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__ if name != "at"}


PROJECTION = Projection.beside(__file__, rows)
