"""Rebuilding beside the live tables on a real log and a real Postgres, while the system runs and while it is broken."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from dispatch.cases import CaseDesk
from dispatch.embedded import EmbeddedNats
from dispatch.errors import Refused
from dispatch.events import CaseLog, connect, ensure_streams
from dispatch.identifiers import case_id_for
from dispatch.migrate import migrate
from dispatch.projections import (
    Change,
    Projection,
    Projector,
    ReadModels,
    all_projections,
    lane,
    late,
    part,
    projector,
    rebuild,
    rebuilding,
)
from dispatch.projections.checkpoints import Checkpoint
from dispatch.projections.copying import tables_of, take_rows, target_of
from dispatch.projections.models import board
from dispatch.projections.shadow import Shadow, schema_of
from dispatch.settings import Settings
from tests.conftest import on_server, with_database
from tests.projection_stories import (
    TABLES,
    answered,
    fill,
    forget,
    noted,
    press_on,
    projecting,
    recorded,
    resolved,
    sums,
    tell,
    until,
)
from tests.servers import Servers


@dataclass
class Site:
    """A site of one test, with a projector that the test starts."""

    nc: Client
    log: CaseLog
    url: str
    dsn: str
    models: ReadModels

    def projector(self, **options: Any) -> Projector:
        return Projector(self.nc, self.log, self.dsn, **options)

    async def rebuild(self, *names: str, **options: Any) -> list[str]:
        return await rebuild(self.nc, self.url, self.dsn, self.log.site, names, **options)

    def under_way(self, *names: str, **options: Any) -> Any:
        return rebuilding(self.nc, self.url, self.dsn, self.log.site, names, **options)

    async def caught_up(self) -> None:
        assert await self.models.wait_for(await self.log.last_sequence(), 60)


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    url, dsn = settings.require_nats(), settings.require_postgres()
    nc = await connect(url, "test")
    await ensure_streams(nc.jetstream())
    site = Site(nc, CaseLog(nc, settings.site), url, dsn, ReadModels(dsn, settings.site))
    yield site
    await site.models.close()
    await nc.close()


@pytest.fixture
async def by_itself(fresh_nats: EmbeddedNats, postgres_dsn: str) -> AsyncIterator[Site]:
    """A site on a log that holds nothing else, so that its cases lie where a test wants them."""
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    site = Site(nc, CaseLog(nc, "alone"), fresh_nats.url, postgres_dsn, ReadModels(postgres_dsn, "alone"))
    yield site
    await site.models.close()
    await nc.close()


async def read(dsn: str, query: str, *arguments: Any) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row[0] for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def test_every_read_model_of_ours_can_be_copied() -> None:
    assert [one.name for one in all_projections() if target_of(one) is None] == []


async def test_times_are_copied_as_they_are(postgres_dsn: str) -> None:
    """To the microsecond, whatever their zone and century; one without a zone is refused, not guessed."""
    east = timezone(timedelta(hours=8))
    times = [
        datetime(2026, 11, 22, 19, 59, 59, 999_999, tzinfo=east),
        datetime(1969, 7, 20, 20, 17, 40, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 11, 22, 11, 59, 59, 999_999, tzinfo=UTC),
    ]
    copies, plain = await asyncpg.connect(postgres_dsn), await asyncpg.connect(postgres_dsn)
    await take_rows(copies)
    await plain.execute("create table told (place integer, at timestamptz)")
    await copies.copy_records_to_table("told", records=[*enumerate(times), (len(times), None)])
    assert [row["at"] for row in await plain.fetch("select at from told order by place")] == [*times, None]
    assert [row["at"] for row in await copies.fetch("select at from told order by place")] == [*times, None]
    with pytest.raises(TypeError):
        await copies.copy_records_to_table("told", records=[(9, times[0].replace(tzinfo=None))])
    await plain.close()
    await copies.close()


async def test_whatever_the_parts_and_what_is_held_the_rows_are_the_same(
    by_itself: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases that are mixed over the edges of parts, quiet for long and then late, or with what cannot be copied."""
    site = by_itself
    await fill(site.log, 60)
    await tell(site.log, "h-nul", noted("n", 5, "before\x00after"), answered("p-1", "going", 7))
    async with projecting(site.projector()):
        await site.caught_up()
    lived = await sums(site.dsn)
    async with site.under_way(processes=3) as three:
        await three.build()
        assert three.progress.late > 1, "cases lie across the edges of the parts"
        assert [(one.rows, one.because) for one in await three.compare()] == [(0, None)] * len(TABLES)
        await three.switch()
    assert await sums(site.dsn) == lived
    monkeypatch.setattr(part, "HELD", 20)
    monkeypatch.setattr(part, "AT_ONCE", 3)
    monkeypatch.setattr(late, "AT_ONCE", 2)
    async with site.under_way(processes=1) as held:
        await held.build()
        assert held.progress.late > 1, "cases went on after they were copied"
        await held.switch()
    assert await sums(site.dsn) == lived


async def test_the_database_is_dropped_and_everything_is_as_before(site: Site, servers: Servers) -> None:
    await fill(site.log, 50)
    async with projecting(site.projector()):
        await site.caught_up()
    before = await sums(site.dsn)
    assert all(rows for rows, _ in before.values())
    name = site.dsn.rpartition("/")[2].partition("?")[0]
    await site.models.close()
    await on_server(servers, f"drop database {name} with (force)")
    await migrate(with_database(servers.postgres_dsn, name))
    assert {rows for rows, _ in (await sums(site.dsn)).values()} == {0}
    await site.rebuild()
    assert await sums(site.dsn) == before


async def test_read_models_that_a_migration_emptied_are_built_in_bulk_without_anybody_asking(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(site.log, 30)
    async with projecting(site.projector()):
        await site.caught_up()
    before = await sums(site.dsn)
    built: list[list[str]] = []

    async def noted_down(nc: Client, url: str, dsn: str, name: str, names: list[str], **options: Any) -> list[str]:
        built.append(names)
        return await rebuild(nc, url, dsn, name, names, **options)

    monkeypatch.setattr(projector, "WORTH_A_REBUILD", 50)
    monkeypatch.setattr(projector, "rebuild", noted_down)
    monkeypatch.setattr(lane, "NEAR", 20)
    emptied = ("calls", "timeline")
    await forget(site.dsn, site.log.site, *emptied)
    async with projecting(site.projector(nats_url=site.url)):
        await site.caught_up()
        assert await sums(site.dsn) == before
        await tell(site.log, "h-new", resolved(9))
        await site.caught_up()
    assert [sorted(names) for names in built] == [list(emptied)], "the others went on as they were"


async def test_a_case_of_years_ago_is_kept_in_its_month_and_months_outlive_a_rebuild(site: Site) -> None:
    press = press_on("h-old", at=-220_000_000)
    old = case_id_for(press.press.household, press.press.press)
    await CaseDesk(site.log).handle(old, press)
    new = await tell(site.log, "h-new", resolved(9))
    query = "select distinct tableoid::regclass::text from {} where case_id = $1"
    async with projecting(site.projector()):
        await site.caught_up()
        for _ in range(2):
            for table in ("timeline", "calls", "latency", "responses"):
                assert await read(site.dsn, query.format(table), old) == [f"{table}_2019_12"]
                assert await read(site.dsn, query.format(table), new) == [f"{table}_2026_11"]
            await read(site.dsn, "select ensure_month('timeline', '2001-01-31 23:59:59Z')::text")
            await site.rebuild()
            assert await read(site.dsn, "select to_regclass('timeline_2001_01')::text") == ["timeline_2001_01"]
        await tell(site.log, "h-newer", resolved(9))
        await site.caught_up()
    assert (await sums(site.dsn))["latency"][0] == 3


def _wrong(change: Change) -> list[board.BoardRow]:
    from msgspec.structs import replace

    return [replace(row, called=0) for row in board.rows(change)]


async def test_a_live_read_model_that_is_behind_is_waited_for_and_then_compared(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(site.log, 10)
    async with projecting(site.projector()):
        await site.caught_up()
    await tell(site.log, "h-later", answered("p-1", "going", 3))
    looked = asyncio.Event()
    held = Shadow.held

    @asynccontextmanager
    async def looking(shadow: Shadow, projection: Projection) -> AsyncIterator[Checkpoint | None]:
        async with held(shadow, projection) as live:
            yield live
        looked.set()

    monkeypatch.setattr(Shadow, "held", looking)
    async with site.under_way("board") as ahead:
        await ahead.build()
        comparing = asyncio.create_task(ahead.compare())
        await asyncio.wait_for(looked.wait(), 30)
        async with projecting(site.projector()):
            [found] = await comparing
        assert (found.because, found.rows) == (None, 0)


async def test_a_bug_is_mended_while_alarms_go_on_and_the_board_never_has_a_gap(site: Site) -> None:
    """The board that is read all the time shows every case that it has shown, before, during and after the switch."""
    wrong = Projection(name="board", rows=_wrong, queries=board.PROJECTION.queries)
    others = [one for one in all_projections() if one.name != "board"]
    await fill(site.log, 40)
    running, told, seen = True, list[str](), set[str]()

    async def alarms() -> None:
        while running:
            told.append(await tell(site.log, f"new-{len(told)}", answered("p-1", "going", 3)))

    async def watch() -> None:
        while running:
            page = {row["case_id"] for row in (await site.models.list_cases(status="all", limit=500))[0]}
            assert seen <= page, "cases were gone from the board"
            seen.update(page)

    async with projecting(site.projector(projections=[wrong, *others])):
        await site.caught_up()
        work = [asyncio.create_task(alarms()), asyncio.create_task(watch())]
        await until(_holds(lambda: len(told) > 5), "alarms to go on")
        assert set(await read(site.dsn, "select called from board")) == {0}
    # The mended version is started, as at an upgrade: what it has not seen anew is still wrong.
    async with projecting(site.projector()):
        await until(_holds(lambda: len(told) > 10), "alarms to go on")
        assert 0 in await read(site.dsn, "select called from board")
        async with site.under_way("board") as mending:
            await mending.build()
            [found] = await mending.compare()
            assert found.rows > 40
            [difference] = found.differences
            live, rebuilt = difference.examples[0]
            assert live is not None
            assert rebuilt is not None
            assert {column for column in live if live[column] != rebuilt[column]} == {"called"}
            before = len(told)
            await mending.switch()
        assert set(await read(site.dsn, "select called from board")) == {3}
        await until(_holds(lambda: len(told) > before + 5), "alarms to go on after the switch")
        running = False
        await asyncio.gather(*work)
        await site.caught_up()
        assert set(told) <= {row["case_id"] for row in (await site.models.list_cases(status="all", limit=500))[0]}
        lived = await sums(site.dsn)
    await forget(site.dsn, site.log.site)
    async with projecting(site.projector()):
        await site.caught_up()
    assert await sums(site.dsn) == lived, "nothing was skipped, nothing doubled"


def _holds(condition: Any) -> Any:
    async def asked() -> bool:
        return bool(condition())

    return asked


async def test_two_at_once_are_refused_and_the_first_goes_on(site: Site) -> None:
    await fill(site.log, 5)
    async with site.under_way() as first:
        await first.build()
        with pytest.raises(Refused, match="already"):
            await site.rebuild("board")
        await first.switch()
    assert (await sums(site.dsn))["board"][0] == 5


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
async def test_ended_in_the_middle_it_leaves_the_live_tables_and_begins_anew(
    site: Site, settings: Settings, how: signal.Signals
) -> None:
    await fill(site.log, 30)
    async with projecting(site.projector()):
        await site.caught_up()
    before = await sums(site.dsn)
    connection = await asyncpg.connect(site.dsn)
    held = connection.transaction()
    await held.start()
    await connection.execute("lock table board in row exclusive mode")  # everything is built, and waits for a writer
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatch", "rebuild", "--yes"),
        env={
            **os.environ,
            "DISPATCH_SITE": settings.site,
            "DISPATCH_DATA": str(settings.data),
            "DISPATCH_NATS_URL": site.url,
            "DISPATCH_POSTGRES_DSN": site.dsn,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    find = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"

    async def waits() -> bool:
        return bool((await read(site.dsn, find))[0])  # in a transaction it would be told the same for ever

    await until(waits, "the rebuild to be in the middle", 60)
    process.send_signal(how)
    words = (await process.communicate())[1].decode()
    await held.rollback()
    assert process.returncode != 0
    if how is signal.SIGINT:
        assert "begins anew" in words
        gone = await connection.fetchval("select to_regnamespace($1) is null", f'"{schema_of(site.log.site)}"')
        assert gone, "what was built is taken away"
    await connection.close()
    assert await sums(site.dsn) == before
    await site.rebuild()
    assert await sums(site.dsn) == before


async def test_a_read_model_that_cannot_be_built_is_named_and_the_live_one_stays(site: Site) -> None:
    await fill(site.log, 5)
    async with projecting(site.projector()):
        await site.caught_up()
    before = await sums(site.dsn)
    nowhere = await asyncpg.connect(site.dsn)
    await nowhere.execute("create view seen as select case_id from board")
    with pytest.raises(Refused, match="seen"):
        await site.rebuild()
    await nowhere.execute("drop view seen")
    await nowhere.close()
    assert await sums(site.dsn) == before


async def test_other_sites_readers_keys_and_indexes_are_kept(site: Site) -> None:
    await fill(site.log, 5)
    other = CaseLog(site.nc, f"{site.log.site}b")
    await tell(other, "h-other", recorded("r1", 1, ("p-1", "live", "delivered")), resolved(5))
    for log in (site.log, other):
        async with projecting(Projector(site.nc, log, site.dsn)):
            await until(_holds_rows(site, log.site), "rows of both sites")
    connection = await asyncpg.connect(site.dsn)
    await connection.execute("create role reporting; grant select on board to reporting")
    described = (
        "select string_agg(indexdef, ' ' order by indexname) from pg_indexes where tablename = any($1) union all"
        " select string_agg(column_name || data_type || is_nullable || is_generated, ' '"
        " order by table_name, ordinal_position)"
        " from information_schema.columns where table_schema = 'public' and table_name = any($1)"
    )
    tables = [table for one in all_projections() for table in tables_of(one)]
    before = (await sums(site.dsn), await connection.fetch(described, tables))
    try:
        await site.rebuild()
        assert (await sums(site.dsn), await connection.fetch(described, tables)) == before
        assert await connection.fetchval("select has_table_privilege('reporting', 'board', 'select')")
    finally:
        await connection.execute("drop owned by reporting; drop role reporting")
        await connection.close()


def _holds_rows(site: Site, name: str) -> Any:
    async def asked() -> bool:
        counts = [
            (await read(site.dsn, f"select count(*) from {table} where site = $1", name))[0]  # noqa: S608
            for table in TABLES
        ]
        return all(counts)

    return asked
