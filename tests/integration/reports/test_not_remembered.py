"""What may change yet, unseen or while it is counted, is not remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from dispatch.projections.reader import Reader
from dispatch.settings import Settings
from tests.integration.reports.office import Office
from tests.integration.reports.past import LONG_AGO, WHERE, one_of_february
from tests.integration.reports.told import Told


async def test_what_changes_while_it_is_counted_is_not_remembered(
    office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.told([one_of_february("h-1"), one_of_february("h-2")])
    connection = await asyncpg.connect(settings.require_postgres())
    values = Reader.values

    async def overtaken(reader: Reader, query: str, *arguments: Any) -> Any:
        found = await values(reader, query, *arguments)
        await connection.execute("delete from latency where household = 'h-2'")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "values", overtaken)
        assert (await office.response(**WHERE))[""]["cases"] == 2
    assert (await office.response(**WHERE))[""]["cases"] == 1
    await connection.close()


async def test_changes_of_the_last_hour_are_not_noted_and_what_is_just_over_is_not_remembered(
    office: Office, readings: list[str], settings: Settings
) -> None:
    """Live cases change all the time, and noting that would cost each commit."""
    connection = await asyncpg.connect(settings.require_postgres())
    at, noted = datetime.now(UTC), "select count(*) from changed_months"
    await office.told([Told("h-1", at - timedelta(minutes=20), called={"p-1": 1.0}, answers=(("p-1", "going", 9.0),))])
    assert await connection.fetchval(noted) == 0
    asked: dict[str, Any] = {"since": at - timedelta(days=1), "as_of": at}
    for hours, times in ((-1, 3), (1, 3), (7, 1)):  # over in an hour, for an hour, for seven
        readings.clear()
        for _ in range(3):
            await office.response(**asked, until=at - timedelta(hours=hours))
        assert len(readings) == times, hours
    await office.told([Told("h-2", at - timedelta(minutes=70), called={"p-1": 1.0})])
    assert await connection.fetchval(noted) == 2
    await connection.close()


@pytest.mark.parametrize("table", ["latency", "responses"])
async def test_what_is_emptied_or_not_watched_is_not_remembered(
    table: str, office: Office, readings: list[str], settings: Settings
) -> None:
    await office.told([Told("h-1", LONG_AGO["since"])])
    connection = await asyncpg.connect(settings.require_postgres())
    await connection.execute("delete from changed_months")  # as where every case was told while it was new
    for _ in range(2):
        assert (await office.response("month", **LONG_AGO))["2025-02-01"]["cases"] == 1
    await connection.execute("truncate latency")
    assert await office.response("month", **LONG_AGO) == {}
    readings.clear()
    await connection.execute(f"alter table {table} disable trigger note_changed")
    for _ in range(2):  # where nobody would note a change
        readings.clear()
        assert await office.response("month", **LONG_AGO) == {}
        assert readings
    await connection.close()
