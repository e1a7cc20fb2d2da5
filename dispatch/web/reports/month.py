"""The month of an area: everything that its page, its files and the command line show."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, cast

from dispatch.identifiers import AreaId
from dispatch.roster import Area, Roster
from dispatch.web.ports import Reports, Row
from dispatch.web.reports.period import Period, months_before
from dispatch.web.reports.rows import names_of, responses, total, trend, workloads
from dispatch.web.reports.views import HotAreaView, HourView, LeftOutView, MonthReport, PathView, ResponseRowView

MOST_AREAS = 500
MOST_LISTED = 30
"""Areas, and groups or officers, that the page lists; a file has them all."""
ALL = 1_000_000
TREND_MONTHS = 12
WORK: tuple[tuple[str, bool | None], ...] = (("group", None), ("responder", True))
"""Whose work is shown: by what, and whether officers alone."""


class MonthDesk:
    """Makes the report of one month. `area` None is the whole site.

    Where the roster has a single area at the top, the whole site is shown as that one, with all of its cases also
    where they lie outside of it: those of areas that are gone, and those without any.
    """

    def __init__(self, reports: Reports, roster: Roster, month: Period, area: AreaId | None, as_of: datetime) -> None:
        self._reports, self._roster, self._month, self._as_of = reports, roster, month, as_of
        self._area = area

    async def report(self, within: AreaId | None, most: int | None = None) -> MonthReport:
        """The report; `within` is the area that is shown as the highest. Raises `Unavailable`.

        It lists at most `most` areas, groups and officers; None: as many as the page does.
        """
        month, whole_trend = self._month, self._trend()
        shown_as = self._area or await self._only_top()
        every_area = await self._areas(shown_as)
        sums, lists, work, hot = await asyncio.gather(
            asyncio.gather(*(self._total(months_before(month, back)) for back in (0, 1, 12))),
            asyncio.gather(*(self._response(by, month, ALL) for by in ("kind", "target", "day"))),
            asyncio.gather(*(self._work(by, who, most or MOST_LISTED) for by, who in WORK)),
            self._reports.hot_spots(**self._where(month), zone=month.zone, limit=MOST_LISTED),
        )
        months = await self._response("month", whole_trend, ALL)
        drills = await self._reports.drills(**self._where(month))
        path = await self._roster.area_path(shown_as) if shown_as else ()
        shown = [area.id for area in path].index(within) + 1 if within in {area.id for area in path} else len(path)
        kinds, targets, days = lists
        areas = every_area[: most or MOST_AREAS]
        (groups, all_groups), (officers, all_officers) = work
        left_out: LeftOutView = {
            "areas": len(every_area) - len(areas),
            "groups": max(0, all_groups - len(groups)),  # counted in another moment than they were listed
            "officers": max(0, all_officers - len(officers)),
        }
        hot_names = await names_of(self._roster, "area", (row["area"] for row in hot["areas"]))
        return {
            "month": f"{month.since:%Y-%m}",
            "since": month.since,
            "until": month.until,
            "zone": month.zone,
            "as_of": self._as_of,
            "complete": not any(left_out.values()),
            "left_out": left_out,
            "area": shown_as,
            "area_name": path[0].name if path else None,
            "path": [PathView(id=area.id, name=area.name) for area in path[:shown]],
            "drills": drills,
            "total": sums[0],
            "month_before": sums[1],
            "year_before": sums[2],
            "areas": responses(areas, await names_of(self._roster, "area", (row["key"] for row in areas))),
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

    async def _only_top(self) -> AreaId | None:
        """The area of the roster in which all others lie, None where there is none or more than one."""
        areas = {area.id: area async for area in self._roster.all("area") if isinstance(area, Area)}
        tops = [area.id for area in areas.values() if area.parent not in areas]
        return tops[0] if len(tops) == 1 else None

    async def _areas(self, shown_as: AreaId | None) -> list[Row]:
        rows = await self._response("area", self._month, ALL)
        if self._area is None and shown_as is not None:
            below = await self._response("area", self._month, ALL, area=shown_as)
            rows = [*below, *(row for row in rows if row["key"] != shown_as)]
        return sorted(rows, key=lambda row: (-row["cases"], row["key"]))

    async def _total(self, period: Period) -> ResponseRowView:
        return total(await self._response("total", period, 1))

    async def _response(self, by: str, period: Period, limit: int, **narrower: AreaId) -> list[Row]:
        where = self._where(period) | narrower
        return list(
            await self._reports.response(by=by, **where, as_of=self._as_of, zone=period.zone, limit=limit),
        )

    async def _work(self, by: str, officers: bool | None, most: int) -> tuple[list[Row], int]:
        """The work of at most `most` groups or officers, and how many there are."""
        where = self._where(self._month)
        found, called = await asyncio.gather(
            self._reports.workload(by=by, **where, officers=officers, nobody=False, limit=most),
            self._reports.called(by=by, **where, officers=officers),
        )
        return list(found), called
