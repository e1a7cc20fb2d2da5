"""Rebuilding beside the live tables while alarms go on, and what of theirs is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from dispatch.events import CaseLog
from dispatch.projections import Change, Projection, Projector, all_projections
from dispatch.projections.checkpoints import Checkpoint
from dispatch.projections.copying import tables_of
from dispatch.projections.models import board
from dispatch.projections.shadow import Shadow
from tests.integration.rebuild.site import Site, holds, read
from tests.projection_stories import TABLES, answered, fill, forget, projecting, recorded, resolved, sums, tell
from tests.waiting import until


def _wrong(change: Change) -> list[board.BoardRow]:
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


async def test_a_rebuild_waits_for_the_checkpoint_before_it_holds_a_table(site: Site) -> None:
    """Whoever writes has the checkpoint first: were the table held already, each would wait for the other."""
    await fill(site.log, 5)
    async with projecting(site.projector()):
        await site.caught_up()
    waits = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%checkpoints%for update'"
    )
    async with site.under_way("board") as ahead:
        await ahead.build()
        live = await asyncpg.connect(site.dsn)
        async with live.transaction():
            await live.execute("update checkpoints set updated_at = now() where projection = 'board'")
            switching = asyncio.create_task(ahead.switch())
            other = await asyncpg.connect(site.dsn)

            async def waiting() -> bool:
                return switching.done() or await other.fetchval(waits) > 0

            await until(waiting, "the rebuild to wait")
            await live.execute("lock table board in row exclusive mode nowait")
        await switching
        await live.close()
        await other.close()


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
        await until(holds(lambda: len(told) > 5), "alarms to go on")
        assert set(await read(site.dsn, "select called from board")) == {0}
    # The mended version is started, as at an upgrade: what it has not seen anew is still wrong.
    async with projecting(site.projector()):
        await until(holds(lambda: len(told) > 10), "alarms to go on")
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
        await until(holds(lambda: len(told) > before + 5), "alarms to go on after the switch")
        running = False
        await asyncio.gather(*work)
        await site.caught_up()
        assert set(told) <= {row["case_id"] for row in (await site.models.list_cases(status="all", limit=500))[0]}
        lived = await sums(site.dsn)
    await forget(site.dsn, site.log.site)
    async with projecting(site.projector()):
        await site.caught_up()
    assert await sums(site.dsn) == lived, "nothing was skipped, nothing doubled"


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
    months = "select relid::regclass::text from unnest($1::text[]) as t (t), pg_partition_tree(t) where isleaf"
    tables += [month for (month,) in await connection.fetch(months, tables)]
    before = (await sums(site.dsn), await connection.fetch(described, tables))
    try:
        await site.rebuild()
        assert (await sums(site.dsn), await connection.fetch(described, tables)) == before
        assert await connection.fetchval("select bool_and(indisvalid) from pg_index"), "every month has every index"
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


async def test_autovacuum_comes_to_the_rebuilt_tables_only_when_they_are_in_place(by_itself: Site) -> None:
    """To be counted and swept while it is filled would be done in vain, and costs a tenth of a rebuild."""
    site = by_itself
    await fill(site.log, 3)
    spared = """
        select count(*) filter (where 'autovacuum_enabled=false' = any(reloptions)), count(*)
        from pg_class where relnamespace = $1::regnamespace and relkind = 'r' and relname similar to $2
    """
    connection = await asyncpg.connect(site.dsn)
    names = f"({'|'.join(TABLES)})(_[0-9]{{4}}_[0-9]{{2}})?"
    async with site.under_way() as under_way:
        await under_way.build()
        [schema] = await read(site.dsn, "select nspname from pg_namespace where nspname like 'rebuild%'")
        aside, made = (await connection.fetch(spared, schema, names))[0]
        assert aside == made > len(TABLES)
        await under_way.switch()
    aside, left = (await connection.fetch(spared, "public", names))[0]
    await connection.close()
    assert (aside, left) == (0, made)


async def test_the_planner_knows_the_rebuilt_tables_and_autovacuum_still_looks_closer(by_itself: Site) -> None:
    """A month that is over never changes again: what a rebuild samples in haste would be all that is ever known."""
    site = by_itself
    await fill(site.log, 60)
    looked_at = """
        select relname, analyze_count > 0 and n_mod_since_analyze > 0 and exists (
            select from pg_stats where schemaname = t.schemaname and tablename = relname and attname = 'case_id'
        )
        from pg_stat_user_tables as t
        where schemaname like 'rebuild%' and relname <> 'checkpoints' and n_tup_ins > 0
    """
    connection = await asyncpg.connect(site.dsn)

    async def known() -> bool:  # Postgres counts a little later than it works
        tables = [is_known for _, is_known in await connection.fetch(looked_at)]
        return len(tables) >= len(TABLES) and all(tables)

    async with site.under_way() as under_way:
        await under_way.build()
        await until(known, "each table and month with rows to be known, and to be looked at again")
    await connection.close()
