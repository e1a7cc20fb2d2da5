"""How rows come into the tables: copied, in parts, on a real log and a real Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import asyncpg
import pytest
from msgspec.structs import replace

from dispatch.projections import Change, Projection, all_projections, late, part
from dispatch.projections.copying import take_rows, target_of
from dispatch.projections.models import timeline
from tests.integration.rebuild.site import Site
from tests.projection_stories import TABLES, answered, fill, noted, projecting, sums, tell
from tests.waiting import until


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


def _too_large(change: Change) -> list[timeline.TimelineRow]:
    rows = timeline.rows(change)
    return [replace(row, index=2**40) if row.data.get("text") == "huge" else row for row in rows]


async def test_a_row_that_only_postgres_refuses_takes_no_other_with_it(site: Site) -> None:
    """It is copied with those of other cases, all or none."""
    models = [Projection(name="timeline", rows=_too_large, queries=timeline.PROJECTION.queries)]
    await fill(site.log, 20)
    await tell(site.log, "h-huge", noted("n1", 1, "fine"), noted("n2", 2, "huge"))
    end = await site.log.last_sequence()

    async def there() -> bool:
        return (await site.models.positions())["timeline"] == end

    async with projecting(site.projector(projections=models)):
        await until(there, "the read model to get to the end")
    lived = await sums(site.dsn, ("timeline",))
    await site.rebuild("timeline", projections=models)
    assert await sums(site.dsn, ("timeline",)) == lived
