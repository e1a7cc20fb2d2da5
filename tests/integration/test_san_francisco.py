"""A week of San Francisco through the import, the log and the read models, beside DuckDB over the same CSV.

The city's file stays outside this repository: where it is not, a sample of the same kind is made up, with its dirt
(blank times, clocks that run backwards, many units on a call).
"""

from __future__ import annotations

import asyncio
import csv
import os
import random
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import duckdb
import pytest

from bench.san_francisco import MOMENTS, convert
from dispatch.events import CASES
from dispatch.projections import Projector
from dispatch.settings import Settings
from tests import commands
from tests.faults.rampage.proxy import proxied
from tests.projection_desk import Desk, opened
from tests.projection_stories import projecting
from tests.waiting import until

CITY = Path(__file__).parents[2].parent / "shared" / "data" / "sffd_calls_2017.csv"
ZONE = "America/Los_Angeles"
HEADERS = ("Call Number", "Unit ID", "Call Type", "Battalion", "Station Area", *MOMENTS.values())
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SINCE, UNTIL = datetime(2016, 12, 1, tzinfo=UTC), datetime(2018, 2, 1, tzinfo=UTC)
PERCENTILES = (0.5, 0.9, 0.95, 0.99)

CASE_INTERVALS = {
    "accepted_to_called": ("accepted_at", "called_at"),
    "answered_to_going": ("answered_at", "going_at"),
    "going_to_on_scene": ("going_at", "on_scene_at"),
    "on_scene_to_resolved": ("on_scene_at", "resolved_at"),
    "accepted_to_answered": ("accepted_at", "answered_at"),
    "accepted_to_on_scene": ("accepted_at", "on_scene_at"),
    "accepted_to_resolved": ("accepted_at", "resolved_at"),
}
UNIT_INTERVALS = {
    "going_to_on_scene": ("going_at", "on_scene_at"),
    "called_to_on_scene": ("called_at", "on_scene_at"),
    "called_to_answered": ("called_at", "answered_at"),
    "on_scene_to_cleared": ("on_scene_at", "cleared_at"),
}
BY_UNIT = f"""
    select call, unit, raised as accepted_at, called as called_at, least(en_route, on_scene) as answered_at,
        en_route as going_at, on_scene as on_scene_at, cleared as cleared_at
    from (
        select "Call Number" as call, "Unit ID" as unit, {
    ", ".join(
        f'''epoch_us(timezone('{ZONE}', strptime("{theirs}", '%m/%d/%Y %I:%M:%S %p'))) as {ours.removesuffix("_at")}'''
        for ours, theirs in MOMENTS.items()
    )
}
        from read_csv(?, all_varchar = true, header = true)
    )
"""  # noqa: S608 - names are ours
"""What the city's file says of each unit on each call, in microseconds since 1970, without any code of ours."""
BY_CALL = f"""
    select call, min(accepted_at) as accepted_at, min(called_at) as called_at, min(answered_at) as answered_at,
        min(going_at) as going_at, min(on_scene_at) as on_scene_at, max(cleared_at) as resolved_at
    from ({BY_UNIT}) group by call
"""  # noqa: S608 - names are ours


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """The city's own file where it is, else one that is like it."""
    return CITY if CITY.exists() else made_up(tmp_path / "made-up.csv")


def made_up(path: Path) -> Path:
    chance = random.Random(7)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADERS)
        writer.writeheader()
        for number in range(400):
            raised = datetime(2017, 1, 1) + timedelta(seconds=chance.randrange(7 * 86_400))  # noqa: DTZ001 (local)
            kind, battalion = chance.choice(["Medical Incident", "Alarms", "Other"]), f"B0{chance.randint(1, 4)}"
            for unit in range(chance.choice([1, 1, 2, 3, 23])):
                at, row = raised, {"Call Number": str(number), "Unit ID": f"E{unit}", "Call Type": kind}
                row |= {"Battalion": battalion, "Station Area": chance.choice(["", "12"]) if number == 9 else "12"}
                for ours, theirs in MOMENTS.items():
                    row[theirs] = f"{at:%m/%d/%Y %I:%M:%S %p}"
                    if ours not in {"raised_at", "called_at"} and chance.random() < 0.2:
                        row[theirs] = ""
                    at += timedelta(seconds=chance.randint(-5, 400))
                writer.writerow(row if number != 9 else row | {"Station Area": ""})
    return path


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return dict(os.environ) | {
        "DISPATCH_NATS_URL": settings.require_nats(),
        "DISPATCH_POSTGRES_DSN": settings.require_postgres(),
        "DISPATCH_SITE": settings.site,
    }


async def imported(desk: Desk, folder: Path, environment: dict[str, str]) -> None:
    """The files of `folder`: rows shuffled between calls and each there twice, cut by a kill -9, and run again."""
    code, _, errors = await commands.dispatch("roster", "import", folder / "areas.csv", env=environment)
    assert code == 0, errors
    path = folder / "calls.csv"
    header, *rows = path.read_text().splitlines()
    rows *= 2
    random.Random(3).shuffle(rows)
    path.write_text("\n".join((header, *rows)) + "\n")
    command = ("history", "import", str(path), "--timezone", ZONE)
    url = urlsplit(environment["DISPATCH_NATS_URL"])
    async with proxied(url.port or 4222) as slow:
        # What it asks takes a while to come and go, so that there is a middle, on a busy machine too.
        slow.delay_seconds = 0.06
        there = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{slow.own}")).geturl()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dispatch", *command),
            env=environment | {"DISPATCH_NATS_URL": there},
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(lambda: _some(desk), "the import to have begun", seconds=60)
        process.kill()
        await process.wait()
    assert await _there(desk) < len({row.partition(",")[0] for row in rows}), "it was killed too late to prove anything"
    code, _, errors = await commands.dispatch(*command, env=environment)
    assert code == 0, errors


async def _some(desk: Desk) -> bool:
    return await _there(desk) > 20


async def _there(desk: Desk) -> int:
    info = await desk.nc.jetstream().stream_info(CASES, subjects_filter=f"history.{desk.log.site}.*.*")
    return len(info.state.subjects or {})


async def test_every_figure_of_a_week_equals_an_independent_one(
    settings: Settings, city: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    rows = convert(city, tmp_path / "sf")
    desk = await opened(settings.require_nats(), settings.require_postgres(), settings.site)
    try:
        async with projecting(Projector(desk.nc, desk.log, desk.dsn)):
            await imported(desk, tmp_path / "sf", environment)
            await desk.caught_up(60)
        live = await figures(desk)
        await desk.rebuild()
        assert await figures(desk) == live, "a rebuild makes the same of it"
    finally:
        await desk.models.close()
        await desk.nc.close()
    cases, units, of_cases, of_units = live
    assert len(units) == rows
    their_units, their_cases = asked(BY_UNIT, city), asked(BY_CALL, city)
    assert by_key(units, 2) == by_key(their_units, 2)
    assert by_key(cases, 1) == by_key(their_cases, 1)
    assert of_cases == close_to(percentiles(BY_CALL, city, CASE_INTERVALS))
    assert of_units == close_to(percentiles(BY_UNIT, city, UNIT_INTERVALS))


Figures = dict[str, tuple[float | None, ...]]


async def figures(desk: Desk) -> tuple[list[Any], list[Any], Figures, Figures]:
    """Rows of cases and of units as the read models have them, and what users get of their intervals."""
    connection = await asyncpg.connect(desk.dsn)
    try:
        cases = await connection.fetch(
            "select left(case_id, -27) as call, accepted_at, called_at, answered_at, going_at, on_scene_at, resolved_at"
            " from latency where site = $1 order by 1",
            desk.log.site,
        )
        units = await connection.fetch(
            "select left(case_id, -27) as call, responder, accepted_at, called_at, answered_at, going_at, on_scene_at,"
            " cleared_at from responses where site = $1 order by 1, 2",
            desk.log.site,
        )
        cleared = await summed(connection, desk, "responses", "on_scene_to_cleared")
    finally:
        await connection.close()
    summary = (await desk.models.latency(limit=1))["summary"]
    of_cases = {name: as_told(summary["case"][name]) for name in CASE_INTERVALS}
    of_units = {name: as_told(found) for name, found in summary["responder"].items() if name in UNIT_INTERVALS}
    [everybody] = await desk.models.reports.workload(by="group", since=SINCE, until=UNTIL, limit=2)
    of_units |= {"called_to_answered": as_told(everybody["to_answered"]), "on_scene_to_cleared": cleared}
    ours = [[tuple(_microseconds(cell) for cell in row) for row in rows] for rows in (cases, units)]
    return ours[0], ours[1], of_cases, of_units


async def summed(connection: asyncpg.Connection, desk: Desk, table: str, name: str) -> tuple[float | None, ...]:
    """How many ran forward and how many backwards, and the percentiles of the first; of what no summary has."""
    row = await connection.fetchrow(
        f"select count(*) filter (where {name} >= 0), count(*) filter (where {name} < 0), "  # noqa: S608 (names are ours)
        f"percentile_cont($2::float8[]) within group (order by {name}) filter (where {name} >= 0) from {table} "
        "where site = $1",
        desk.log.site,
        list(PERCENTILES),
    )
    assert row is not None
    return (row[0], row[1], *(row[2] or ()))


def as_told(found: Mapping[str, Any]) -> tuple[float | None, ...]:
    """An interval of a summary: how many ran forward and how many backwards, and the percentiles of the first."""
    return (found["count"], found["backwards"], *(found[name] for name in ("p50", "p90", "p95", "p99")))


def asked(query: str, city: Path) -> list[tuple[Any, ...]]:
    """The rows of `query`, each moment in microseconds since 1970."""
    with duckdb.connect() as duck:
        return duck.execute(query, [str(city)]).fetchall()


def percentiles(query: str, city: Path, intervals: dict[str, tuple[str, str]]) -> Figures:
    found: Figures = {}
    with duckdb.connect() as duck:
        for name, (begin, end) in intervals.items():
            row = duck.execute(
                f"select count(*) filter (where s >= 0), count(*) filter (where s < 0), "  # noqa: S608 (names are ours)
                f"quantile_cont(s, {list(PERCENTILES)}) filter (where s >= 0) from "
                f"(select ({end} - {begin}) / 1e6 as s from ({query}))",
                [str(city)],
            ).fetchone()
            assert row is not None
            found[name] = (row[0], row[1], *(row[2] or ()))
    return found


def close_to(found: Figures) -> Any:
    return {name: pytest.approx(values) for name, values in found.items()}


def by_key(rows: Sequence[tuple[Any, ...]], parts: int) -> dict[Any, tuple[Any, ...]]:
    keyed = {row[:parts]: row[parts:] for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def _microseconds(cell: Any) -> Any:
    return (cell - EPOCH) // timedelta(microseconds=1) if isinstance(cell, datetime) else cell
