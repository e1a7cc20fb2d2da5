"""What was dropped or emptied comes back from the log, row for row and in its month."""

from __future__ import annotations

from typing import Any

import pytest
from nats.aio.client import Client

from dispatch.cases import CaseDesk
from dispatch.identifiers import case_id_for
from dispatch.migrate import migrate
from dispatch.projections import lane, projector, rebuild
from tests.conftest import on_server, with_database
from tests.integration.rebuild.site import Site, read
from tests.projection_stories import fill, forget, press_on, projecting, resolved, sums, tell
from tests.servers import Servers


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
