"""The latency of a case: when each step of help was first reached. See docs/LATENCY.md."""

from __future__ import annotations

from datetime import datetime

import msgspec

from dispatch.cases import Case
from dispatch.events import Kind, Resolution
from dispatch.identifiers import AreaId, CaseId, GroupId, HouseholdId, Site
from dispatch.projections.projection import Change, Projection


class LatencyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a case; None for one that was never reached. The table itself makes the seconds between.

    `target_seconds` is the response target of its area when it opened, None where there was none.
    """

    site: Site
    case_id: CaseId
    household: HouseholdId
    group_id: GroupId | None
    areas: tuple[AreaId, ...]
    target_seconds: int | None
    kind: Kind
    silent: bool
    drill: bool
    imported: bool
    pressed_at: datetime
    accepted_at: datetime
    called_at: datetime | None
    delivered_at: datetime | None
    answered_at: datetime | None
    going_at: datetime | None
    on_scene_at: datetime | None
    resolved_at: datetime | None
    cancelled_at: datetime | None
    resolution: Resolution | None


def rows(change: Change) -> list[LatencyRow]:
    """The row of the case, unless it is as it was: most commits reach no step for the first time."""
    row = _row(change.site, change.case)
    return [] if change.before.raised and _row(change.site, change.before) == row else [row]


def _row(site: Site, case: Case) -> LatencyRow:
    alarm, firsts = case.alarm, case.firsts
    closed_at = case.closing.at if case.closing else None
    return LatencyRow(
        site=site,
        case_id=alarm.case,
        household=alarm.household,
        group_id=alarm.group,
        areas=alarm.areas,
        target_seconds=alarm.response_target_seconds,
        kind=case.kind,
        silent=case.silent,
        drill=alarm.drill,
        imported=case.is_imported,
        pressed_at=alarm.pressed_at,
        accepted_at=alarm.accepted_at,
        called_at=firsts.called,
        delivered_at=firsts.delivered,
        answered_at=firsts.answered,
        going_at=firsts.going,
        on_scene_at=firsts.on_scene,
        resolved_at=closed_at if case.status == "resolved" else None,
        cancelled_at=closed_at if case.status == "cancelled" else None,
        resolution=case.closing.resolution if case.closing else None,
    )


PROJECTION = Projection.beside(__file__, rows)
