"""EXPLAIN guards of what the desk and the reports ask of Postgres, on the tables that `tests.million` fills: what each
may read. The suite holds them on the newest months, `python -m bench --only reports` on the whole million.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

import asyncpg

from dispatch.projections import few, reports
from dispatch.projections import queries as lists
from tests.million import ENDED

MONTH = f"'{ENDED - timedelta(days=31):%Y-%m-%d}', '{ENDED:%Y-%m-%d}'"
YEAR = f"'{ENDED - timedelta(days=366):%Y-%m-%d}', '{ENDED:%Y-%m-%d}'"
AS_OF, ZONE, LIMITS = f"'{ENDED:%Y-%m-%d}'", "'Asia/Shanghai'", "30, 300, 1800"
SITE, NOTHING = "'s'", "null"

BY_TIME = r"latency_\d+_\d+_site_accepted_at_case_id_idx"
BY_AREA = r"latency_\d+_\d+_areas_idx"
BY_PERSON = r"responses_\d+_\d+_site_responder_accepted_at_idx"
WHOLE_MONTHS = None
"""Every row of a month is asked for, so that reading it from its beginning to its end is the best way."""
BY_HASH = "HashAggregate"
"""The same, and its rows are summed up by key as they come: to sort them first takes as long as all the rest."""


def cases(area: str, period: str, *more: str, responder: str = NOTHING) -> str:
    return ", ".join((SITE, area, NOTHING, NOTHING, period, responder, *more))


def response(area: str, period: str, by: str, responder: str = NOTHING, half: str = NOTHING) -> str:
    return cases(area, period, AS_OF, f"'{by}'", ZONE, LIMITS, "100", half, responder=responder)


def work(area: str, by: str, *more: str, responder: str = NOTHING) -> str:
    return cases(area, MONTH, NOTHING, f"'{by}'", *more, responder=responder)


MOST = ("100", "true")
ALL = ("5001", "true", "null::text[]", "30")
OFFICERS = "array['o-1-12', 'o-2-12', 'o-3-12']"
GROUPS = "array['g-1', 'g-2', 'g-3']"
READS = {
    "a month of the site": (reports.queries.response, response("null", MONTH, "total"), WHOLE_MONTHS),
    "a month of the site by area": (reports.queries.response, response("null", MONTH, "area"), WHOLE_MONTHS),
    "half of the groups": (reports.queries.response, response("null", MONTH, "group", half="0"), WHOLE_MONTHS),
    "the days of a township": (reports.queries.response, response("'t-3'", MONTH, "day"), BY_AREA),
    "twelve months of the site": (reports.queries.response, response("null", YEAR, "month"), WHOLE_MONTHS),
    "twelve months of a village": (reports.queries.response, response("'v-17'", YEAR, "month"), BY_AREA),
    "the cases of one officer": (reports.queries.response, response("null", MONTH, "total", "'o-17-12'"), BY_PERSON),
    "the drills of a month": (reports.queries.drills, cases("null", MONTH), WHOLE_MONTHS),
    "who was called most": (reports.queries.most_called, work("null", "responder", *MOST), WHOLE_MONTHS),
    "who was called most in a village": (
        reports.queries_of_few.most_called,
        work("'v-17'", "responder", *MOST),
        BY_AREA,
    ),
    "who was called most in the county": (reports.queries.most_called, work("'c'", "responder", *MOST), BY_HASH),
    "how many groups were called": (reports.queries.called, work("null", "group"), WHOLE_MONTHS),
    "how many were called in a village": (reports.queries_of_few.called, work("'v-17'", "responder"), BY_AREA),
    "the work of some groups": (reports.queries.workload, work("null", "group", *MOST, GROUPS, "30"), WHOLE_MONTHS),
    "the work of all groups": (reports.queries.workload, work("null", "group", *ALL), BY_HASH),
    "the work of all areas": (reports.queries.workload, work("null", "area", *ALL), BY_HASH),
    "the work of the county's areas": (reports.queries.workload, work("'c'", "area", *ALL), BY_HASH),
    "the work of some officers": (
        reports.queries.workload,
        work("null", "responder", *MOST, OFFICERS, "30"),
        BY_PERSON,
    ),
    "the work of a village": (reports.queries_of_few.workload, work("'v-17'", "group", *MOST, GROUPS, "30"), BY_AREA),
    "the work of one officer": (
        reports.queries.most_called,
        work("null", "area", "9", "true", responder="'o-17-12'"),
        BY_PERSON,
    ),
    "the hot spots of the site": (reports.queries.hot_spots, cases("null", MONTH, ZONE, "100"), WHOLE_MONTHS),
    "the hot spots of a village": (reports.queries.hot_spots, cases("'v-17'", MONTH, ZONE, "100"), BY_AREA),
    "the newest cases": (lists.queries.latency, f"{SITE}, null, {MONTH}, 100", BY_TIME),
    "the summary of a month": (lists.queries.case_summary, f"{SITE}, null, {MONTH}", WHOLE_MONTHS),
    "the answers of a month": (lists.queries.answering_summary, f"{SITE}, null, {MONTH}", WHOLE_MONTHS),
    "the answers of the county": (lists.queries.answering_summary, f"{SITE}, 'c', {MONTH}", WHOLE_MONTHS),
    "the answers of a village": (lists.queries_of_few.answering_summary, f"{SITE}, 'v-17', {MONTH}", BY_AREA),
    "who came in a month": (lists.queries.coming_summary, f"{SITE}, null, {MONTH}", WHOLE_MONTHS),
    "who came in a village": (lists.queries_of_few.coming_summary, f"{SITE}, 'v-17', {MONTH}", BY_AREA),
    "whether a village has few cases": (few.queries.few, f"{SITE}, 'v-17', {MONTH}", BY_TIME),
    "the count of a month": (lists.queries.counted, f"{SITE}, null, {MONTH}", WHOLE_MONTHS),
}
BOARD = {
    "the board, all": (lists.queries.newest, f"{SITE}, null, null, null, null, 51", "board_newest"),
    "the board, those open": (
        lists.queries.newest_by_state,
        f"{SITE}, true, null, null, null, null, 51",
        "board_newest_by_state",
    ),
    "the board, a page further on": (
        lists.queries.newest_by_state,
        f"{SITE}, false, null, null, null, 'h-500001', 51",
        "board_newest(?:_by_state)?",  # nearly all are over
    ),
    "the board, an area without cases": (
        lists.queries.newest_by_state,
        f"{SITE}, false, null, 'none', null, null, 51",
        "board_of_area",
    ),
    "the board, those cancelled": (
        lists.queries.newest_by_state,
        f"{SITE}, false, 'cancelled', null, null, null, 51",
        "board_newest_by_status",
    ),
    "the board, fires": (
        lists.queries.newest_by_state,
        f"{SITE}, false, null, null, 'fire', null, 51",
        "board_newest_by_kind",
    ),
}
"""Pages of the board."""


async def explained(connection: asyncpg.Connection, query: str, arguments: str) -> str:
    """The plan of `query` for `arguments`, as Postgres would take it."""
    await connection.execute(f"prepare asked as {query}")
    try:
        return "\n".join(row[0] for row in await connection.fetch(f"explain execute asked({arguments})"))
    finally:
        await connection.execute("deallocate asked")


async def wrong_with(connection: asyncpg.Connection, what: str) -> str | None:
    """Why the plan of the report called `what` reads more than it needs, with that plan; None where it does not."""
    query, arguments, index = READS[what]
    plan = await explained(connection, query, arguments)
    read = set(re.findall(r" on (?:latency|responses)_(\d+_\d+) ", plan))
    if read != months(*re.findall(r"\d+-\d+-\d+", arguments)[:2]):
        return f"{what} reads the months {', '.join(sorted(read))}:\n{plan}"
    if index is BY_HASH:
        # What two processors have summed up may be sorted to be put together; the calls may not.
        by_hash = BY_HASH in plan and re.search(r"(?<!Finalize )GroupAggregate", plan) is None
        return None if by_hash else f"{what} is sorted:\n{plan}"
    return None if index is WHOLE_MONTHS else _past(index, what, plan)


async def wrong_with_board(connection: asyncpg.Connection, what: str) -> str | None:
    """The same of what the board asks."""
    query, arguments, index = BOARD[what]
    return _past(index, what, await explained(connection, query, arguments))


async def all_wrong(connection: asyncpg.Connection) -> list[str]:
    """What is wrong with any of them."""
    found = [await wrong_with(connection, what) for what in READS]
    found += [await wrong_with_board(connection, what) for what in BOARD]
    return [wrong for wrong in found if wrong is not None]


def _past(index: str, what: str, plan: str) -> str | None:
    by_index = re.search(rf"(Index (?:Only )?Scan (?:Backward )?using|Bitmap Index Scan on) ({index})\b", plan)
    return None if by_index and "Seq Scan" not in plan else f"{what} is not read by {index}:\n{plan}"


def months(since: str, until: str) -> set[str]:
    """The months from one date to another."""
    day, last = date.fromisoformat(since), date.fromisoformat(until)
    return {f"{day + timedelta(days=n):%Y_%m}" for n in range((last - day).days + 1)}
