"""What happened and how fast, in sum: figures over the cases of a period. See docs/LATENCY.md for each definition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import msgspec

from dispatch.identifiers import AreaId, GroupId, PersonId, Site
from dispatch.projections.few import has_few
from dispatch.projections.reader import Reader, Row, Values
from dispatch.projections.remembered import Question, Remembered
from dispatch.projections.sql import load

ANSWER_SECONDS = 10.0
CONNECTIONS = 2
"""A report may keep these busy, and no list waits for it."""
HALVES: Final = (0, 1)
"""What is counted by thousands of keys is counted in two halves at once: those with an even and with an odd hash."""
FEW = 1_000
"""Up to so many groups those who were called most are found first, and then their steps: quicker than the steps of all.
Of areas it never is, and of people, a hundred thousand in a site, always.
"""

STEPS: Final = ("answered", "under_way", "on_scene", "closed")
ANSWERED_SECONDS, UNDER_WAY_SECONDS, CLOSED_SECONDS = 30.0, 300.0, 1800.0
"""110 接处警: answered within 30 s, under way within 5 min, closed within 30 min; on scene within the area's target."""
PERCENTILES: Final = ("p50", "p90", "p95", "p99")


class ReportQueries(msgspec.Struct, frozen=True, kw_only=True):
    response: str
    drills: str
    called: str
    most_called: str
    workload: str
    hot_spots: str


queries = load(Path(__file__).with_suffix(".sql"), ReportQueries)
queries_of_few = load(Path(__file__).with_suffix(".sql"), ReportQueries, calls="calls_of_few")
"""The same for an area that has few of the cases."""


class Reports:
    """Figures of one site, over cases accepted in [since, until). Every method raises as `Reader.fetch` does.

    `area` means the area and all below it. `zone` is the IANA name of the time zone in which days, weeks, months and
    hours are counted.
    """

    def __init__(self, dsn: str, site: Site) -> None:
        self._reader = Reader(dsn, site, connections=CONNECTIONS, seconds=ANSWER_SECONDS)
        self.remembered = Remembered(self._reader)

    def close(self) -> None:
        self._reader.close()

    async def response(
        self,
        *,
        by: str,
        since: datetime,
        until: datetime,
        as_of: datetime,
        zone: str,
        area: AreaId | None = None,
        kind: str | None = None,
        group: GroupId | None = None,
        responder: PersonId | None = None,
        limit: int,
    ) -> Sequence[Row]:
        """How fast help came, by `total`, `area` (those directly below `area`), `kind`, `target`, `group`, `day`,
        `week` or `month` (their first days as keys): at most `limit` rows, those with most cases first.

        An open case is judged as of `as_of`. `responder`: cases on which they were called, and not left out.
        """

        def question(by: str, since: datetime, until: datetime, most: int) -> Question:
            return Question(
                asked=("response", by, zone, area, kind, group, responder, most),
                since=since,
                until=until,
                as_of=as_of,
                decided=lambda rows: not any(row[UNDECIDED] for row in rows),
                count=lambda: counted(by, since, until, most),
            )

        async def counted(by: str, since: datetime, until: datetime, most: int) -> Sequence[Values]:
            asked = (as_of, by, zone, ANSWERED_SECONDS, UNDER_WAY_SECONDS, CLOSED_SECONDS, most)
            parts = await asyncio.gather(
                *(
                    self._reader.values(queries.response, area, kind, group, start, end, responder, *asked, half)
                    for start, end in halves(by, since, until, zone)
                    for half in (HALVES if by == "group" else (None,))
                )
            )
            return _most(parts, most)

        if by != "month":
            return [_response(row) for row in await self.remembered.answer(question(by, since, until, limit))]
        # Each month for itself: when a case of one changes, the others are still remembered.
        months = list(months_of(since, until, zone))
        totals = await self.remembered.answers([question("total", *span, 1) for _, span in months])
        rows = [(first, *row[1:]) for (first, _), total in zip(months, totals, strict=True) for row in total]
        return [_response(row) for row in _most([[], rows], limit)]

    async def drills(
        self,
        *,
        since: datetime,
        until: datetime,
        area: AreaId | None = None,
        kind: str | None = None,
        group: GroupId | None = None,
        responder: PersonId | None = None,
    ) -> int:
        """How many drills there were; no other figure counts them."""
        asked = (area, kind, group, since, until, responder)

        async def counted() -> int:
            [row] = await self._reader.fetch(queries.drills, *asked)
            return int(row["drills"])

        return int(await self._answer(("drills", asked), since, until, counted))

    async def workload(
        self,
        *,
        by: str,
        since: datetime,
        until: datetime,
        area: AreaId | None = None,
        kind: str | None = None,
        group: GroupId | None = None,
        responder: PersonId | None = None,
        officers: bool | None = None,
        nobody: bool = True,
        limit: int,
    ) -> Sequence[Row]:
        """What those who were called did, by `responder`, `group` (as whose member they were called) or `area` (in
        which the case was): at most `limit` rows, those called most first. `officers`: these alone, or all but these.
        `nobody`: with a row, under the key "", of what belongs to no group or area.
        """
        asked = (area, kind, group, since, until, responder, officers, by)

        async def counted() -> Sequence[Row]:
            calls = queries_of_few if await has_few(self._reader, area, since, until) else queries
            async with self._reader.at_one_moment() as values:
                keys = None
                if by == "responder" or (by == "group" and limit <= FEW):
                    keys = [key for (key,) in await values(calls.most_called, *asked, limit, nobody)]
                rows = await values(calls.workload, *asked, limit, nobody, keys, ANSWERED_SECONDS)
            return [_workload(row) for row in rows]

        return cast("Sequence[Row]", await self._answer(("workload", asked, limit, nobody), since, until, counted))

    async def called(
        self,
        *,
        by: str,
        since: datetime,
        until: datetime,
        area: AreaId | None = None,
        officers: bool | None = None,
    ) -> int:
        """How many rows a workload would have without a limit, but for that of nobody."""
        asked = (area, None, None, since, until, None, officers, by)

        async def counted() -> int:
            calls = queries_of_few if await has_few(self._reader, area, since, until) else queries
            [row] = await self._reader.fetch(calls.called, *asked)
            return int(row["called"])

        return int(await self._answer(("called", asked), since, until, counted))

    async def hot_spots(
        self,
        *,
        since: datetime,
        until: datetime,
        zone: str,
        area: AreaId | None = None,
        kind: str | None = None,
        limit: int,
    ) -> Mapping[str, Sequence[Row]]:
        """Where and when cases come together: `hours` of the week (`day` 1 is Monday), `areas` by kind, and `spots`,
        which are both; at most `limit` rows of the last two.
        """
        asked = (area, kind, None, since, until, None, zone, limit)

        async def counted() -> Mapping[str, Sequence[Row]]:
            rows = await self._reader.fetch(queries.hot_spots, *asked)
            hours = sorted(_counted(rows, "hours", ("day", "hour")), key=lambda row: (row["day"], row["hour"]))
            return {
                "hours": hours,
                "areas": _counted(rows, "areas", ("area", "kind")),
                "spots": _counted(rows, "spots", ("area", "kind", "day", "hour")),
            }

        found = await self._answer(("hot_spots", asked), since, until, counted)
        return cast("Mapping[str, Sequence[Row]]", found)

    async def _answer(
        self, asked: Hashable, since: datetime, until: datetime, count: Callable[[], Awaitable[Any]]
    ) -> Any:
        return await self.remembered.answer(Question(asked=asked, since=since, until=until, count=count))


def months_of(since: datetime, until: datetime, zone: str) -> Iterator[tuple[str, tuple[datetime, datetime]]]:
    """The months that [since, until) covers: the first day of each, and the part of it that is covered."""
    first = since.astimezone(ZoneInfo(zone)).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    while first < until:
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        yield f"{first:%Y-%m-%d}", (max(since, first), min(until, after))
        first = after


def halves(by: str, since: datetime, until: datetime, zone: str) -> list[tuple[datetime, datetime]]:
    """[since, until), in two where no day or week of a report by these is cut: they are counted side by side."""
    middle = (since + (until - since) / 2).astimezone(ZoneInfo(zone)).date()
    match by:
        case "day":
            first = middle
        case "week":
            first = middle - timedelta(days=middle.weekday())
        case _:
            return [(since, until)]
    cut = datetime.combine(first, time(), ZoneInfo(zone))
    return [(since, cut), (cut, until)] if since < cut < until else [(since, until)]


def _counted(rows: Sequence[Row], what: str, names: Sequence[str]) -> list[Row]:
    return [{name: row[name] for name in (*names, "cases")} for row in rows if row["what"] == what]


def _most(parts: Sequence[Sequence[Values]], limit: int) -> Sequence[Values]:
    """The `limit` rows of all `parts` that have the most cases or calls, in that order."""
    if len(parts) == 1:
        return parts[0]
    return sorted((row for part in parts for row in part), key=lambda row: (-row[1], row[0]))[:limit]


UNDECIDED = -1

# The rows of an answer come as tuples, in the order of the columns of their query. A file has thousands of them, each
# with several mappings: written out as they are below, these take half the time.


def _response(values: Values) -> Row:
    key, cases, open_, cancelled, false_alarms = values[:5]
    return {
        "key": key,
        "cases": cases,
        "open": open_,
        "cancelled": cancelled,
        "false_alarms": false_alarms,
        "steps": {
            "answered": _step(values[5:17]),
            "under_way": _step(values[17:29]),
            "on_scene": _step(values[29:41]),
            "closed": _step(values[41:53]),
        },
    }


def _step(values: Values) -> Row:
    within, missed, not_due, unknown, backwards, no_target, share, count, p50, p90, p95, p99 = values
    return {
        "within": within,
        "missed": missed,
        "not_due": not_due,
        "unknown": unknown,
        "backwards": backwards,
        "no_target": no_target,
        "share": share,
        "count": count,
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
    }


def _workload(values: Values) -> Row:
    key, called, rung, delivered, answered, going, on_scene, cannot, prompt = values[:9]
    return {
        "key": key,
        "called": called,
        "rung": rung,
        "delivered": delivered,
        "answered": answered,
        "going": going,
        "on_scene": on_scene,
        "cannot": cannot,
        "prompt": prompt,
        "prompt_share": prompt / rung if rung else None,
        "to_answered": _took(values[9:15]),
        "to_on_scene": _took(values[15:21]),
    }


def _took(values: Values) -> Row:
    backwards, count, p50, p90, p95, p99 = values
    return {"count": count, "backwards": backwards, "p50": p50, "p90": p90, "p95": p95, "p99": p99}


def percentiles(values: Sequence[float] | None) -> dict[str, float | None]:
    """`values`, as `percentile_cont` gives them, by name; each None where there was nothing to count."""
    known: Sequence[float | None] = values or [None] * len(PERCENTILES)
    return dict(zip(PERCENTILES, known, strict=True))
