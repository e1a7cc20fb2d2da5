"""Reports: how fast help came, who did what, where and when cases come together; as JSON, CSV and XLSX."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

from aiohttp import web
from pydantic import Field

from dispatch.clock import now
from dispatch.errors import Malformed
from dispatch.events import Kind
from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.web.api.common import FreshAsked, caught_up, from_postgres, permitted_area
from dispatch.web.endpoint import Request
from dispatch.web.parts import Parts
from dispatch.web.ports import Row
from dispatch.web.reading import Id
from dispatch.web.reports.month import MonthDesk
from dispatch.web.reports.period import Bound, Period, Span, month_at, month_of, period_of
from dispatch.web.reports.rows import names_of, responses, trend, workloads
from dispatch.web.reports.sheets import CSV, as_csv
from dispatch.web.reports.tables import Table
from dispatch.web.reports.views import (
    HotSpotsReport,
    HotSpotView,
    MonthReport,
    PeriodView,
    ResponseReport,
    WorkloadReport,
)

REPORT_SECONDS = 12.0
"""A month is a dozen questions, and nobody waits for help meanwhile."""
MOST_ROWS = 5_000
"""Of a file. A report is made in the process that takes alarms: never for long."""
SPANS: tuple[str, ...] = get_args(Span)

R = TypeVar("R")
Month = Annotated[str, Field(max_length=10, examples=["2026-11"], description="A month by the clocks of the site")]
Limit = Annotated[int, Field(ge=1, le=500)]


class _Asked(FreshAsked):
    area: Id | None = None


class PeriodAsked(_Asked):
    month: Month | None = None
    since: Bound | None = None
    until: Bound | None = None
    kind: Kind | None = None


class ResponseWanted(PeriodAsked):
    by: Literal["total", "area", "kind", "target", "group", "day", "week", "month"] = "total"
    group: Id | None = None
    responder: Annotated[Id | None, Field(description="Cases on which they were called")] = None


class ResponseAsked(ResponseWanted):
    limit: Limit = 100


class WorkloadWanted(PeriodAsked):
    by: Literal["responder", "group", "area"] = "responder"
    group: Id | None = None
    responder: Id | None = None
    officers: Annotated[bool | None, Field(description="Officers alone, or all but them")] = None


class WorkloadAsked(WorkloadWanted):
    limit: Limit = 100


class HotSpotsAsked(PeriodAsked):
    limit: Limit = 100


class MonthAsked(_Asked):
    month: Month | None = None


async def response(request: Request[None, ResponseAsked]) -> ResponseReport:
    """How fast help came: cases, the shares within the four targets, percentiles."""
    return await response_up_to(request, request.query.limit)


async def workload(request: Request[None, WorkloadAsked]) -> WorkloadReport:
    """What those who were called did, and how fast."""
    return await workload_up_to(request, request.query.limit)


async def hot_spots(request: Request[None, HotSpotsAsked]) -> HotSpotsReport:
    """Where and when cases come together."""
    return await hot_spots_up_to(request, request.query.limit)


async def month(request: Request[None, MonthAsked]) -> MonthReport:
    """The month of an area in the buckets of 110; the running one when none is named."""
    return await _month(request, None)


async def _month(request: Request[None, Any], most: int | None) -> MonthReport:
    asked, parts, at = request.query, request.parts, now()
    zone = parts.deps.settings.timezone
    period = month_of(asked.month, zone) if asked.month else month_at(at, zone)
    area, reports = await _area(request), parts.deps.read_models.reports
    desk = MonthDesk(reports, parts.deps.roster, period, area, at)
    return await from_postgres(desk.report(within=request.principal.area, most=most), seconds=REPORT_SECONDS)


def as_file(
    report: Callable[[Request[Any, Any], int], Awaitable[R]], tables: Callable[[R], Sequence[Table]], media: str
) -> Callable[[Request[Any, Any]], Awaitable[web.Response]]:
    """A handler that answers `report` as a file of type `media`; CSV has the first of `tables` alone."""

    async def answer(request: Request[Any, Any]) -> web.Response:
        found = await report(request, MOST_ROWS)
        if not cast("Mapping[str, Any]", found).get("complete", True):
            raise Malformed(
                f"area {request.query.area!r} has more than {MOST_ROWS} rows in this period: name a smaller area, or "
                "a shorter period",
                field="area",
            )
        made = tables(found)
        body = as_csv(made[0]).encode() if media == CSV else await asyncio.to_thread(_workbook, made)
        stem, _, ending = request.http.path.rsplit("/", 1)[-1].partition(".")
        told = cast("Mapping[str, Any]", found)
        of = (told["month"], told["area"]) if "month" in told else ()
        name = "-".join(filter(None, (stem, *of))) + f".{ending}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        charset = "utf-8" if media == CSV else None
        return web.Response(body=body, content_type=media, charset=charset, headers=headers)

    return answer


def _workbook(made: Sequence[Table]) -> bytes:
    from dispatch.web.reports.workbook import as_xlsx  # only here, for the web process is to be back soon

    return as_xlsx(made)


async def response_up_to(request: Request[None, Any], limit: int) -> ResponseReport:
    asked, deps = request.query, request.parts.deps
    period, area = _period(request), await _area(request)
    where: dict[str, Any] = {
        "since": period.since,
        "until": period.until,
        "area": area,
        "kind": asked.kind,
        "group": GroupId(asked.group) if asked.group else None,
        "responder": PersonId(asked.responder) if asked.responder else None,
    }
    reading = deps.read_models.reports
    most = MOST_ROWS if asked.by in SPANS else limit
    rows, drills = await from_postgres(
        asyncio.gather(
            reading.response(by=asked.by, **where, as_of=now(), zone=period.zone, limit=most + 1),
            reading.drills(**where),
        ),
        seconds=REPORT_SECONDS,
    )
    names = await names_of(deps.roster, asked.by, (row["key"] for row in rows))
    shown = trend(rows, period, cast("Span", asked.by)) if asked.by in SPANS else responses(rows[:most], names)
    return {
        **await _head(request.parts, period, area),
        "by": asked.by,
        "drills": drills,
        "complete": len(rows) <= most,
        "rows": shown,
    }


async def workload_up_to(request: Request[None, Any], limit: int) -> WorkloadReport:
    asked, deps = request.query, request.parts.deps
    period, area = _period(request), await _area(request)
    rows = await from_postgres(
        deps.read_models.reports.workload(
            by=asked.by,
            since=period.since,
            until=period.until,
            area=area,
            kind=asked.kind,
            group=GroupId(asked.group) if asked.group else None,
            responder=PersonId(asked.responder) if asked.responder else None,
            officers=asked.officers,
            limit=limit + 1,
        ),
        seconds=REPORT_SECONDS,
    )
    names = await names_of(deps.roster, asked.by, (row["key"] for row in rows[:limit]))
    return {
        **await _head(request.parts, period, area),
        "by": asked.by,
        "complete": len(rows) <= limit,
        "rows": workloads(rows[:limit], names),
    }


async def hot_spots_up_to(request: Request[None, Any], limit: int) -> HotSpotsReport:
    asked, deps = request.query, request.parts.deps
    period, area = _period(request), await _area(request)
    found = await from_postgres(
        deps.read_models.reports.hot_spots(
            since=period.since, until=period.until, zone=period.zone, area=area, kind=asked.kind, limit=limit + 1
        ),
        seconds=REPORT_SECONDS,
    )
    names = await names_of(deps.roster, "area", {row["area"] for row in (*found["areas"], *found["spots"])})

    def shown(rows: Sequence[Row]) -> list[HotSpotView]:
        return [cast("HotSpotView", {**row, "name": names.get(row["area"]) or row["area"]}) for row in rows[:limit]]

    return {
        **await _head(request.parts, period, area),
        "complete": max(len(found["areas"]), len(found["spots"])) <= limit,
        "hours": cast("Any", found["hours"]),
        "areas": cast("Any", shown(found["areas"])),
        "spots": shown(found["spots"]),
    }


async def month_up_to(request: Request[None, Any], limit: int) -> MonthReport:
    return await _month(request, limit)


def _period(request: Request[None, Any]) -> Period:
    asked, zone = request.query, request.parts.deps.settings.timezone
    if asked.month is None:
        return period_of(asked.since, asked.until, zone, now())
    if asked.since is not None or asked.until is not None:
        raise Malformed(f"month {asked.month!r} stands beside since or until: use the one or the others", field="month")
    return month_of(asked.month, zone)


async def _area(request: Request[None, Any]) -> AreaId | None:
    """The area asked for, once the read models include what the asker knows of."""
    await caught_up(request)
    asked = request.query.area
    return await permitted_area(request.parts.deps.roster, request.principal, AreaId(asked) if asked else None)


async def _head(parts: Parts, period: Period, area: AreaId | None) -> PeriodView:
    names = await names_of(parts.deps.roster, "area", [area] if area else [])
    return {
        "since": period.since,
        "until": period.until,
        "zone": period.zone,
        "area": area,
        "area_name": names.get(area) if area else None,
    }
