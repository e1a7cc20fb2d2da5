"""EXPLAIN guards: with months as full as those of a million cases in five years, a report reads the months of its
period alone, and what is narrower than a month (an area, a person, the newest) by an index.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from dispatch.projections.reader import SETTINGS
from tests.conftest import on_server, with_database
from tests.million import MILLION, SECONDS_BETWEEN, fill_latency, fill_responses
from tests.plans import READS, wrong_with
from tests.servers import Servers

pytestmark = pytest.mark.timeout(400)
"""What is asked is written first: some seconds, and on a busy machine a minute or two."""

FIRST = MILLION - int(timedelta(days=400).total_seconds() / SECONDS_BETWEEN)
"""The reports look back a year at most, so only the cases of the last 13 months are written."""


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
    assert await wrong_with(million, what) is None
