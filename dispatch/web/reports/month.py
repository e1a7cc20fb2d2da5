"""The month of an area: everything that its page, its files and the command line show."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, cast

from dispatch.identifiers import AreaId
from dispatch.roster import Roster
from dispatch.web.ports import Reports, Row
from dispatch.web.reports.period import Period, months_before
from dispatch.web.reports.rows import named, names_of, responses, total, trend, workloads
from dispatch.web.reports.views import HotAreaView, HourView, MonthReport, PathView, ResponseRowView

MOST_AREAS = 500
MOST_LISTED = 30
TREND_MONTHS = 12


class MonthDesk:
    """Makes the report of one month. `area` None is the whole site, of which a single county is the same thing."""

    def __init__(self, reports: Reports, roster: Roster, month: Period, area: AreaId | None, as_of: datetime) -> None:
        self._reports, self._roster, self._month, self._as_of = reports, roster, month, as_of
        self._area = area

    async def report(self, within: AreaId | None) -> MonthReport:
        """The report; `within` is the area that is shown as the highest. Raises `Unavailable`."""
        month, whole_trend = self._month, self._trend()
        areas = await self._areas()
        sums, lists, work, hot = await asyncio.gather(
            asyncio.gather(*(self._total(months_before(month, back)) for back in (0, 1, 12))),
            asyncio.gather(*(self._response(by, month, MOST_AREAS) for by in ("kind", "target", "day"))),
            asyncio.gather(self._work("group", None), self._work("responder", officers=True)),
            self._reports.hot_spots(**self._where(month), zone=month.zone, limit=MOST_LISTED),
        )
        months = await self._response("month", whole_trend, MOST_AREAS)
        drills = await self._reports.drills(**self._where(month))
        path = await self._roster.area_path(self._area) if self._area else ()
        shown = [area.id for area in path].index(within) + 1 if within in {area.id for area in path} else len(path)
        kinds, targets, days = lists
        groups, officers = work
        hot_names = await names_of(self._roster, "area", (row["area"] for row in hot["areas"]))
        return {
            "month": f"{month.since:%Y-%m}",
            "since": month.since,
            "until": month.until,
            "zone": month.zone,
            "as_of": self._as_of,
            "area": self._area,
            "area_name": path[0].name if path else None,
            "path": [PathView(id=area.id, name=area.name) for area in path[:shown]],
            "drills": drills,
            "total": sums[0],
            "month_before": sums[1],
            "year_before": sums[2],
            "areas": areas,
            "kinds": responses(kinds, await names_of(self._roster, "kind", ())),
            "targets": responses(targets, await names_of(self._roster, "target", (row["key"] for row in targets))),
            "days": trend(days, month, "day"),
            "months": trend(months, whole_trend, "month"),
            "groups": workloads(groups, await names_of(self._roster, "group", (row["key"] for row in groups))),
            "officers": workloads(officers, await names_of(self._roster, "responder", (r["key"] for r in officers))),
            "hours": cast("list[HourView]", hot["hours"]),
            "hot_areas": cast(
                "list[HotAreaView]",
                [{**row, "name": hot_names.get(row["area"], row["area"])} for row in hot["areas"]],
            ),
        }

    def _where(self, period: Period) -> dict[str, Any]:
        return {"since": period.since, "until": period.until, "area": self._area}

    def _trend(self) -> Period:
        since = months_before(self._month, TREND_MONTHS - 1).since
        return Period(since=since, until=self._month.until, zone=self._month.zone)

    async def _areas(self) -> list[ResponseRowView]:
        rows = await self._response("area", self._month, MOST_AREAS)
        if self._area is None and len(rows) == 1 and rows[0]["key"]:
            self._area = AreaId(rows[0]["key"])
            rows = await self._response("area", self._month, MOST_AREAS)
        return responses(named(rows, {}), await names_of(self._roster, "area", (row["key"] for row in rows)))

    async def _total(self, period: Period) -> ResponseRowView:
        return total(await self._response("total", period, 1))

    async def _response(self, by: str, period: Period, limit: int) -> list[Row]:
        where = self._where(period)
        return list(
            await self._reports.response(by=by, **where, as_of=self._as_of, zone=period.zone, limit=limit),
        )

    async def _work(self, by: str, officers: bool | None) -> list[Row]:
        found = await self._reports.workload(by=by, **self._where(self._month), officers=officers, limit=MOST_LISTED)
        return [row for row in found if row["key"]]
