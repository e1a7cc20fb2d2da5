"""What happened and how fast, in sum: figures over the cases of a period. See docs/LATENCY.md for each definition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from dispatch.clock import now
from dispatch.identifiers import AreaId, GroupId, PersonId, Site
from dispatch.projections.reader import Reader, Row, Values
from dispatch.projections.remembered import SETTLED, Remembered, Span, spans_of
from dispatch.projections.sql import load

ANSWER_SECONDS = 10.0
CONNECTIONS = 2
"""A report may keep these busy, and no list waits for it."""
HALVES: Final = (0, 1)
"""What is counted by thousands of keys is counted in two halves at once: those with an even and with an odd hash."""

STEPS: Final = ("answered", "under_way", "on_scene", "closed")
ANSWERED_SECONDS, UNDER_WAY_SECONDS, CLOSED_SECONDS = 30.0, 300.0, 1800.0
"""110 接处警: answered within 30 s, under way within 5 min, closed within 30 min; on scene within the area's target."""
PERCENTILES: Final = ("p50", "p90", "p95", "p99")


Counted = Callable[[datetime, datetime, int], Awaitable[Sequence[Sequence[Values]]]]
"""Rows of `response` over the cases of a period, in parts, and in each at most so many."""


class ReportQueries(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    response: str
    drills: str
    most_called: str
    called: str
    work_of_people: str
    work_of_many: str
    hot_spots: str


queries = load(Path(__file__).with_suffix(".sql"), ReportQueries)


class Reports:
    """Figures of one site, over cases accepted in [since, until). Every method raises as `Reader.fetch` does.

    `area` means the area and all below it. `zone` is the IANA name of the time zone in which days, weeks, months and
    hours are counted.
    """

    def __init__(self, dsn: str, site: Site) -> None:
        self._reader = Reader(dsn, site, connections=CONNECTIONS, seconds=ANSWER_SECONDS)
        self._remembered = Remembered()

    def close(self) -> None:
        self._reader.close()

    def forget(self) -> None:
        """Count every month anew when it is asked for next."""
        self._remembered = Remembered()

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

        async def counted(since: datetime, until: datetime, most: int) -> Sequence[Sequence[Values]]:
            asked = (as_of, by, zone, ANSWERED_SECONDS, UNDER_WAY_SECONDS, CLOSED_SECONDS, most)
            return await asyncio.gather(
                *(
                    self._reader.values(queries.response, area, kind, group, start, end, responder, *asked, half)
                    for start, end in halves(by, since, until, zone)
                    for half in (HALVES if by == "group" else (None,))
                )
            )

        if by == "month" and responder is None:
            rows = await self._by_month(counted, (area, kind, group, zone), spans_of(since, until, zone), as_of)
            return [_response(row) for row in _most([[], rows], limit)]
        return [_response(row) for row in _most(await counted(since, until, limit), limit)]

    async def _by_month(
        self, counted: Counted, asked: Hashable, spans: Sequence[Span], as_of: datetime
    ) -> Sequence[Values]:
        """The rows of the months `spans`: those that are remembered, and the others as they are counted."""
        state, at = await self._state()
        known = self._remembered.known(state, asked, spans, as_of) if state else {}
        unknown = [span for span in spans if span not in known]
        parts = await counted(unknown[0].since, unknown[-1].until, len(spans)) if unknown else []
        rows = {row[0]: row for part in parts for row in part}
        over = [span for span in unknown if span.until + SETTLED <= min(as_of, at)]
        if state and over and (await self._state())[0] == state:
            for span in over:
                row = rows.get(span.key)
                if row is None or not row[UNDECIDED]:
                    self._remembered.keep(state, asked, span, as_of, row)
        remembered = {span.key: row for span, row in known.items() if row is not None}
        return [*(remembered | rows).values()]

    async def _state(self) -> tuple[Row | None, datetime]:
        """The state that what is remembered holds for, None where nobody notes changes; and the database's time."""
        found = await self._reader.fetch(queries.state)
        if not found:
            return None, now()
        state = dict(found[0])
        return state, state.pop("at")

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
        [row] = await self._reader.fetch(queries.drills, area, kind, group, since, until, responder)
        return int(row["drills"])

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
        asked = (area, kind, group, since, until, officers, limit)
        if by != "responder" and responder is None:
            more = (nobody, by, ANSWERED_SECONDS)
            parts = await asyncio.gather(
                *(self._reader.values(queries.work_of_many, *asked, *more, half) for half in HALVES)
            )
            return [_workload(row) for row in _most(parts, limit)]
        async with self._reader.at_one_moment() as fetch:
            # Of everybody in a site the percentiles alone take a second, and few are shown.
            most = [{"responder": responder}] if responder else await fetch(queries.most_called, *asked)
            people = [row["responder"] for row in most]
            rows = await fetch(queries.work_of_people, *asked, nobody, by, people, ANSWERED_SECONDS)
        return [_workload(tuple(row.values())) for row in rows]

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
        [row] = await self._reader.fetch(queries.called, area, None, None, since, until, officers, by)
        return int(row["called"])

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
        rows = await self._reader.fetch(queries.hot_spots, area, kind, None, since, until, None, zone, limit)
        hours = sorted(_counted(rows, "hours", ("day", "hour")), key=lambda row: (row["day"], row["hour"]))
        return {
            "hours": hours,
            "areas": _counted(rows, "areas", ("area", "kind")),
            "spots": _counted(rows, "spots", ("area", "kind", "day", "hour")),
        }


def halves(by: str, since: datetime, until: datetime, zone: str) -> list[tuple[datetime, datetime]]:
    """[since, until), in two where no day, week or month of a report by these is cut: they are counted side by side."""
    middle = (since + (until - since) / 2).astimezone(ZoneInfo(zone)).date()
    match by:
        case "day":
            first = middle
        case "week":
            first = middle - timedelta(days=middle.weekday())
        case "month":
            first = middle.replace(day=1)
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
    key, called, rung, delivered, answered, going, on_scene, cannot, prompt, prompt_share = values[:10]
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
        "prompt_share": prompt_share,
        "to_answered": _times(values[10:16]),
        "to_on_scene": _times(values[16:]),
    }


def _times(values: Values) -> Row:
    count, backwards, p50, p90, p95, p99 = values
    return {"count": count, "backwards": backwards, "p50": p50, "p90": p90, "p95": p95, "p99": p99}


def percentiles(values: Sequence[float] | None) -> dict[str, float | None]:
    """`values`, as `percentile_cont` gives them, by name; each None where there was nothing to count."""
    known: Sequence[float | None] = values or [None] * len(PERCENTILES)
    return dict(zip(PERCENTILES, known, strict=True))
