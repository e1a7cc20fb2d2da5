"""EXPLAIN guards: with a million cases in the tables, a report reads those of its period or area by an index."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from dispatch.projections import queries as lists
from dispatch.projections import reports
from tests.conftest import on_server, with_database
from tests.million import ENDED, fill_latency, fill_responses
from tests.servers import Servers

pytestmark = pytest.mark.timeout(400)
"""A million rows are written in some ten seconds, and on a busy machine in a minute or two."""

MONTH = f"'{ENDED - timedelta(days=31):%Y-%m-%d}', '{ENDED:%Y-%m-%d}'"
YEAR = f"'{ENDED - timedelta(days=366):%Y-%m-%d}', '{ENDED:%Y-%m-%d}'"
AS_OF, ZONE, LIMITS = f"'{ENDED:%Y-%m-%d}'", "'Asia/Shanghai'", "30, 300, 1800"
SITE, NOTHING = "'s'", "null"

BY_TIME = r"latency_newest|responses_newest"
BY_AREA = r"latency_of_area"


def response(area: str, period: str, by: str) -> str:
    return ", ".join((SITE, area, NOTHING, NOTHING, period, AS_OF, f"'{by}'", ZONE, LIMITS, "100"))


def workload(area: str, responder: str, by: str) -> str:
    return ", ".join((SITE, area, NOTHING, NOTHING, responder, NOTHING, MONTH, f"'{by}'", "30", "100"))


def hot(area: str, *more: str) -> str:
    return ", ".join((SITE, area, NOTHING, MONTH, *more))


READS = {
    "a month of the site": (reports.queries.response, response("null", MONTH, "total"), BY_TIME),
    "a month of the site by area": (reports.queries.response, response("null", MONTH, "area"), BY_TIME),
    "the days of a township": (reports.queries.response, response("'t-3'", MONTH, "day"), BY_TIME),
    "twelve months of the site": (reports.queries.response, response("null", YEAR, "month"), BY_TIME),
    "twelve months of a village": (reports.queries.response, response("'v-17'", YEAR, "month"), BY_AREA),
    "the drills of a month": (reports.queries.drills, hot("null").replace("null, null", "null, null, null"), BY_TIME),
    "the work of a month": (reports.queries.workload, workload("null", NOTHING, "responder"), BY_TIME),
    "the work of a village": (reports.queries.workload, workload("'v-17'", NOTHING, "responder"), BY_AREA),
    "the work of one officer": (
        reports.queries.workload,
        workload("null", "'o-17-12'", "responder"),
        r"responses_by_responder",
    ),
    "the hours of a week": (reports.queries.hot_hours, hot("null", ZONE), BY_TIME),
    "the areas": (reports.queries.hot_areas, hot("'t-3'", "100"), BY_TIME),
    "the hot spots of a village": (reports.queries.hot_spots, hot("'v-17'", ZONE, "100"), f"{BY_AREA}|{BY_TIME}"),
    "the newest cases": (lists.queries.latency, f"{SITE}, null, {MONTH}, 100", r"latency_newest"),
    "the summary of a month": (lists.queries.case_summary, f"{SITE}, null, {MONTH}", BY_TIME),
    "the responders of a month": (lists.queries.response_summary, f"{SITE}, null, {MONTH}", BY_TIME),
    "the responders of a village": (lists.queries.response_summary, f"{SITE}, 'v-17', {MONTH}", BY_AREA),
    "the count of a month": (lists.queries.counted, f"{SITE}, null, {MONTH}", BY_TIME),
}


@pytest.fixture(scope="module")
async def million(servers: Servers, migrated_template: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with a million cases, as reports ask it."""
    name = f"million_{secrets.token_hex(4)}"
    await on_server(servers, f"create database {name} template {migrated_template}")
    settings = {"plan_cache_mode": "force_custom_plan", "jit": "off", "synchronous_commit": "off"}
    connection = await asyncpg.connect(with_database(servers.postgres_dsn, name), server_settings=settings)
    await fill_latency(connection, told=100)
    await fill_responses(connection, 1, told=100)
    yield connection
    await connection.close()
    await on_server(servers, f"drop database {name} with (force)")


@pytest.mark.parametrize("what", READS)
async def test_a_report_reads_by_an_index(million: asyncpg.Connection, what: str) -> None:
    query, arguments, expected = READS[what]
    await million.execute(f"prepare asked as {query}")
    plan = "\n".join(row[0] for row in await million.fetch(f"explain execute asked({arguments})"))
    await million.execute("deallocate asked")
    assert "Seq Scan" not in plan, plan
    assert re.search(rf"(Index Scan using|Index Only Scan using|Bitmap Index Scan on) ({expected})\b", plan), plan
