"""The read models under crashes: their own, of Postgres and of NATS."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

import asyncpg
import pytest
from prometheus_client import REGISTRY

from dispatch.cases import fold
from dispatch.embedded import EmbeddedNats, EmbeddedPostgres
from dispatch.errors import Unavailable
from dispatch.events import (
    CASES,
    ensure_streams,
)
from dispatch.identifiers import HouseholdId
from dispatch.projections import all_projections, checkpoints, lane, writer
from dispatch.projections.storing import Elsewhere, Storing
from dispatch.settings import Settings
from tests.projection_desk import STORY, Desk, incident, no_incident, opened, reached
from tests.projection_stories import (
    TABLES,
    answered,
    fill,
    forget,
    projecting,
    sums,
    tell,
)
from tests.waiting import until


async def test_killed_in_the_middle_of_five_thousand_commits(desk: Desk, settings: Settings) -> None:
    cases = await fill(desk.log, 700)
    events = [len(await desk.log.load(case)) for case in cases]
    assert sum(events) > 4000
    end = await desk.log.last_sequence()
    reached = 0
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.projection_stories",
            settings.require_nats(), desk.dsn, desk.log.site, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        target = reached + 400

        async def moved_on(target: int = target) -> bool:
            with suppress(Unavailable):  # asked too long, beside all that other tests do: it is asked again
                return max((await desk.models.positions()).values()) >= target
            return False

        first = min(message.metadata.sequence.stream for message in [await anext(desk.log.follow())])
        target = max(target, first + 400)
        await until(moved_on, "the projector to be in the middle")
        process.send_signal(signal.SIGKILL)
        await process.wait()
        reached = max((await desk.models.positions()).values())
    assert reached < end, "it was killed too late to prove anything"
    async with projecting(desk.projector()):
        await desk.caught_up(60)
        after_kills = await sums(desk.dsn)
        rows, _ = await desk.models.list_cases(status="all", limit=500)
        for row in rows[:50]:
            assert row["status"] == fold(await desk.log.load(row["case_id"])).status
        await desk.rebuild()
    assert after_kills["board"][0] == len(cases)
    assert await sums(desk.dsn) == after_kills


async def test_those_that_are_in_step_are_written_in_one_statement(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def alone(*_: object) -> None:
        raise AssertionError("it was to be written with the others")

    await tell(desk.log, "h-1", *STORY)
    async with projecting(desk.projector()):
        await desk.caught_up()
        monkeypatch.setattr(writer.Writer, "write", alone)
        await tell(desk.log, "h-2", *STORY)
        await desk.caught_up()
    assert (await sums(desk.dsn))["board"][0] == 2


async def test_where_one_checkpoint_is_elsewhere_nothing_is_stored_of_any(desk: Desk) -> None:
    await tell(desk.log, "h-1", *STORY)
    async with projecting(desk.projector()):
        await desk.caught_up()
    connection = await asyncpg.connect(desk.dsn)
    storing = await Storing.over(connection, desk.log.site, all_projections())
    rows = await connection.fetchval('select json_agg(to_jsonb(board) || \'{"case_id": "another"}\') from board')
    bodies = [rows if projection.name == "board" else None for projection in all_projections()]
    places = [at := (await desk.models.positions())["board"]] * len(bodies)
    [made] = {
        found.stream_created for found in [await checkpoints.current(connection, desk.log.site, "board")] if found
    }

    await connection.execute("update checkpoints set seq = seq - 1 where projection = 'timeline'")
    before = await desk.models.positions()
    with pytest.raises(Elsewhere):
        await storing.store(made, places, at + 1, "next", bodies)
    assert (await desk.models.positions(), (await sums(desk.dsn))["board"][0]) == (before, 1)

    await connection.execute("update checkpoints set seq = seq + 1 where projection = 'timeline'")
    await storing.store(made, places, at + 1, "next", bodies)
    assert set((await desk.models.positions()).values()) == {at + 1}
    assert (await sums(desk.dsn))["board"][0] == 2
    await connection.close()


async def test_two_runners_at_once_are_harmless(desk: Desk) -> None:
    async with projecting(desk.projector(batch=3)), projecting(desk.projector(batch=5)):
        await fill(desk.log, 40)
        await desk.caught_up()
    together = await sums(desk.dsn)
    await desk.rebuild()
    assert await sums(desk.dsn) == together


async def test_a_checkpoint_that_was_taken_back_is_noticed_at_the_next_commit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not only when it is quiet, for it may never be."""
    monkeypatch.setattr(lane, "QUIET_SECONDS", 60)
    await tell(desk.log, "h-1", *STORY)
    async with projecting(desk.projector()):
        await desk.caught_up()
        await forget(desk.dsn, desk.log.site, "board")
        await tell(desk.log, "h-2", *STORY)
        await desk.caught_up()
    assert (await sums(desk.dsn))["board"][0] == 2


async def test_postgres_goes_away_and_comes_back(settings: Settings, fresh_postgres: EmbeddedPostgres) -> None:
    desk = await opened(settings.require_nats(), fresh_postgres.dsn, settings.site)
    async with projecting(desk.projector()):
        await tell(desk.log, "h-1", *STORY)
        await desk.caught_up()
        await fresh_postgres.stop()
        with pytest.raises(Unavailable):
            await desk.models.open_cases()
        case = await tell(desk.log, "h-2", answered("p-1", "going", 4))
        await until(lambda: _lags(behind=True), "the lag to be seen")
        await fresh_postgres.start()
        await desk.caught_up()
        await until(lambda: _lags(behind=False), "the lag to be gone")
        assert (await desk.models.open_cases())[0] == [case]
    await desk.models.close()
    await desk.nc.close()


async def _lags(*, behind: bool) -> bool:
    values = [
        REGISTRY.get_sample_value(f"dispatch_projection_lag_{unit}", {"projection": "board"}) or 0
        for unit in ("commits", "seconds")
    ]
    running = REGISTRY.get_sample_value("dispatch_projection_running", {"projection": "board"})
    return all(value > 0 for value in values) and not running if behind else values == [0, 0] and running == 1


async def test_nats_is_killed_and_started_again(settings: Settings, fresh_nats: EmbeddedNats) -> None:
    desk = await opened(fresh_nats.url, settings.require_postgres(), settings.site)
    async with projecting(desk.projector()):
        await tell(desk.log, "h-1", *STORY)
        await desk.caught_up()
        await fresh_nats.stop()
        await fresh_nats.start()
        await until(lambda: answers(desk), "NATS to be back")
        case = await tell(desk.log, "h-2")
        await desk.caught_up()
        assert (await desk.models.open_cases())[0] == [case]
    await desk.models.close()
    await desk.nc.close()


async def answers(desk: Desk) -> bool:
    try:
        await desk.log.head(HouseholdId("h-1"))
    except Unavailable:
        return False
    return True


async def test_a_replaced_log_stops_the_read_models_until_they_are_rebuilt(
    settings: Settings, fresh_nats: EmbeddedNats
) -> None:
    desk = await opened(fresh_nats.url, settings.require_postgres(), settings.site)
    async with projecting(desk.projector()):
        await tell(desk.log, "h-1")
        await desk.caught_up()
        before = await sums(desk.dsn)
        await desk.nc.jetstream().delete_stream(CASES)
        await ensure_streams(desk.nc.jetstream())
        new = [await tell(desk.log, f"h-{number}", *STORY) for number in (2, 3)]
        await until(lambda: incident(desk, "board"), "the incident to be told")
        assert await sums(desk.dsn) == before
        await desk.rebuild()
        await desk.caught_up(30)
        assert {row["case_id"] for row in (await desk.models.list_cases(status="all"))[0]} == set(new)
        await until(lambda: no_incident(desk, "board"), "the incident to be over")
    await desk.models.close()
    await desk.nc.close()


async def test_a_log_that_lost_its_end_stops_the_read_models(desk: Desk) -> None:
    await tell(desk.log, "h-1")
    async with projecting(desk.projector()):
        await desk.caught_up()
    connection = await asyncpg.connect(desk.dsn)
    await connection.execute("update checkpoints set commit_id = 'another' where projection = 'board'")
    await connection.close()
    case = await tell(desk.log, "h-2")
    end = await desk.log.last_sequence()
    async with projecting(desk.projector()):
        await until(lambda: reached(desk, tuple(name for name in TABLES if name != "board"), end), "the others")
        await until(lambda: incident(desk, "board"), "the incident to be told")
    assert (await desk.models.positions())["board"] < end
    assert case not in (await desk.models.open_cases())[0]
