"""A rebuild that is refused, ended in its middle or cannot be done leaves the live tables as they are."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import asyncpg
import pytest

from dispatch.errors import Refused
from dispatch.projections.shadow import schema_of
from dispatch.settings import Settings
from tests.integration.rebuild.site import Site
from tests.projection_stories import fill, projecting, sums
from tests.waiting import until


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
    connection, beside = await asyncpg.connect(site.dsn), await asyncpg.connect(site.dsn)
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
        return bool(await beside.fetchval(find))  # in a transaction it would be told the same for ever

    await until(waits, "the rebuild to be in the middle", seconds=60)
    process.send_signal(how)
    words = (await process.communicate())[1].decode()
    await held.rollback()
    assert process.returncode != 0
    if how is signal.SIGINT:
        assert "begins anew" in words
        gone = await connection.fetchval("select to_regnamespace($1) is null", f'"{schema_of(site.log.site)}"')
        assert gone, "what was built is taken away"
    await connection.close()
    await beside.close()
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
