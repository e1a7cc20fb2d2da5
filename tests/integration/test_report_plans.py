"""EXPLAIN guards: with months as full as those of a million cases in five years, a report reads the months of its
period alone, and what is narrower than a month (an area, a person, the newest) by an index.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from datetime import date, timedelta

import asyncpg
import pytest

from dispatch.projections import queries as lists
from dispatch.projections import reports
from dispatch.projections.reader import SETTINGS
from tests.conftest import on_server, with_database
from tests.million import ENDED, MILLION, SECONDS_BETWEEN, fill_latency, fill_responses
from tests.servers import Servers

pytestmark = pytest.mark.timeout(400)
"""What is asked is written first: some seconds, and on a busy machine a minute or two."""

FIRST = MILLION - int(timedelta(days=400).total_seconds() / SECONDS_BETWEEN)
"""The reports look back a year at most, so only the cases of the last 13 months are written."""

MONTH = f"'{ENDED - timedelta(days=31):%Y-%m-%d}', '{ENDED:%Y-%m-%d}'"
YEAR = f"'{ENDED - timedelta(days=366):%Y-%m-%d}', '{ENDED:%Y-%m-%d}'"
AS_OF, ZONE, LIMITS = f"'{ENDED:%Y-%m-%d}'", "'Asia/Shanghai'", "30, 300, 1800"
SITE, NOTHING = "'s'", "null"

BY_TIME = r"latency_\d+_\d+_site_accepted_at_case_id_idx"
BY_AREA = r"latency_\d+_\d+_areas_idx"
BY_PERSON = r"responses_\d+_\d+_site_responder_accepted_at_idx"
WHOLE_MONTHS = None
"""Every row of a month is asked for, so that reading it from its beginning to its end is the best way."""


def cases(area: str, period: str, *more: str, responder: str = NOTHING) -> str:
    return ", ".join((SITE, area, NOTHING, NOTHING, period, responder, *more))


def response(area: str, period: str, by: str, responder: str = NOTHING, half: str = NOTHING) -> str:
    return cases(area, period, AS_OF, f"'{by}'", ZONE, LIMITS, "100", half, responder=responder)


def work(area: str, by: str, *more: str, responder: str = NOTHING) -> str:
    return cases(area, MONTH, NOTHING, f"'{by}'", *more, responder=responder)


OFFICERS = "array['o-1-12', 'o-2-12', 'o-3-12']"
MOST = ("100", "true")
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
        reports.queries.most_called,
        work("'v-17'", "responder", *MOST),
        BY_AREA,
    ),
    "how many groups were called": (reports.queries.called, work("null", "group"), WHOLE_MONTHS),
    "the work of some groups": (reports.queries.workload, work("null", "group", *MOST, GROUPS, "30"), WHOLE_MONTHS),
    "the work of all areas": (
        reports.queries.workload,
        work("null", "area", *MOST, "null::text[]", "30"),
        WHOLE_MONTHS,
    ),
    "the work of some officers": (
        reports.queries.workload,
        work("null", "responder", *MOST, OFFICERS, "30"),
        BY_PERSON,
    ),
    "the work of a village": (reports.queries.workload, work("'v-17'", "group", *MOST, GROUPS, "30"), BY_AREA),
    "the work of one officer": (
        reports.queries.most_called,
        work("null", "area", "9", "true", responder="'o-17-12'"),
        BY_PERSON,
    ),
    "the hot spots of the site": (reports.queries.hot_spots, cases("null", MONTH, ZONE, "100"), WHOLE_MONTHS),
    "the hot spots of a village": (reports.queries.hot_spots, cases("'v-17'", MONTH, ZONE, "100"), BY_AREA),
    "the newest cases": (lists.queries.latency, f"{SITE}, null, {MONTH}, 100", BY_TIME),
    "the summary of a month": (lists.queries.case_summary, f"{SITE}, null, {MONTH}", WHOLE_MONTHS),
    "the responders of a month": (lists.queries.response_summary, f"{SITE}, null, {MONTH}", WHOLE_MONTHS),
    "the responders of a village": (lists.queries.response_summary, f"{SITE}, 'v-17', {MONTH}", BY_AREA),
    "the count of a month": (lists.queries.counted, f"{SITE}, null, {MONTH}", WHOLE_MONTHS),
}


@pytest.fixture(scope="module")
async def million(servers: Servers, migrated_template: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with the newest of a million cases, as reports ask it."""
    name = f"million_{secrets.token_hex(4)}"
    await on_server(servers, f"create database {name} template {migrated_template}")
    settings = {**SETTINGS, "synchronous_commit": "off"}
    connection = await asyncpg.connect(with_database(servers.postgres_dsn, name), server_settings=settings)
    await fill_latency(connection, told=100, first=FIRST)
    await fill_responses(connection, 1, told=100, first=FIRST)
    yield connection
    await connection.close()
    await on_server(servers, f"drop database {name} with (force)")


@pytest.mark.parametrize("what", READS)
async def test_a_report_reads_no_more_than_it_needs(million: asyncpg.Connection, what: str) -> None:
    query, arguments, index = READS[what]
    await million.execute(f"prepare asked as {query}")
    plan = "\n".join(row[0] for row in await million.fetch(f"explain execute asked({arguments})"))
    await million.execute("deallocate asked")
    assert set(re.findall(r" on (?:latency|responses)_(\d+_\d+) ", plan)) == months(
        *re.findall(r"\d+-\d+-\d+", arguments)[:2]
    )
    if index is not WHOLE_MONTHS:
        assert "Seq Scan" not in plan, plan
        assert re.search(rf"(Index Scan using|Index Only Scan using|Bitmap Index Scan on) ({index})\b", plan), plan


def months(since: str, until: str) -> set[str]:
    """The months from one date to another."""
    day, last = date.fromisoformat(since), date.fromisoformat(until)
    return {f"{day + timedelta(days=n):%Y_%m}" for n in range((last - day).days + 1)}
