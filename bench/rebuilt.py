"""A rebuild of all read models from a long log, beside reading and decoding alone, and COPY alone."""

from __future__ import annotations

import time

import asyncpg

from bench import history
from bench.figures import Goal, Measured
from bench.results import Comparison
from bench.scene import console
from dispatch.cases import fold_whole
from dispatch.events import CASES, Commit, connect
from dispatch.events.bulk import ALL, bulk, read
from dispatch.identifiers import CaseId, Site
from dispatch.projections import Change, Progress, Projection, all_projections, rebuilding
from dispatch.projections.copying import take_rows, target_of

SITE = Site("past")
GOAL = Goal(p50=20, p99=20, bare_p50=10, bare_p99=10)
"""50,000 events a second are 20 ms for a thousand; 100,000 into one simple table were the bare limit."""
SAMPLE = 2000
"""Cases that are copied for the bare limit."""


async def compare(url: str, dsn: str, cases: int) -> Comparison:
    """Rebuild `cases` cases in all read models. Fails when what was rebuilt differs from what is there."""
    nc = await connect(url, "bench")
    console.print(f"[dim]rebuild: writing the log of {cases} cases …")
    commits, events = await history.write(nc, SITE, cases)
    info = await nc.jetstream().stream_info(CASES)
    console.print("[dim]rebuild: the bare limits …")
    sample: dict[CaseId, list[Commit]] = {}
    read_seconds = await _reading(url, info.state.last_seq, events, sample)
    changes = [Change(site=SITE, case=fold_whole(some), commits=tuple(some)) for some in sample.values()]
    sampled = sum(len(commit.events) for change in changes for commit in change.commits)
    copy_seconds = await _copying(dsn, changes)
    phases: dict[str, float] = {}
    began = time.perf_counter()

    def told(progress: Progress) -> None:
        phases.setdefault(progress.phase, time.perf_counter() - began)

    console.print("[dim]rebuild: ours …")
    async with rebuilding(nc, url, dsn, SITE, told=told) as under_way:
        await under_way.build()
        seconds = time.perf_counter() - began
        await under_way.switch()
    await nc.close()
    return Comparison(
        title=f"rebuild of {len(all_projections())} read models, {events} events, {commits} commits; per 1,000 events",
        bare=Measured("reading and decoding alone, one process", [read_seconds / events * 1e6]),
        ours=Measured("rebuild, indexes and all", [seconds / events * 1e6]),
        goal=GOAL,
        facts={
            "events_per_second": round(events / seconds),
            "reading_and_decoding_alone_events_per_second": round(events / read_seconds),
            "copy_alone_events_per_second": round(sampled / copy_seconds),
            "seconds_until": {name: round(at, 1) for name, at in phases.items()},
            "late_cases": under_way.progress.late,
        },
    )


async def _reading(url: str, last: int, events: int, sample: dict[CaseId, list[Commit]]) -> float:
    mine, seen = f"cases.{SITE}.".encode(), 0
    began = time.perf_counter()
    async with bulk(url) as client:
        async for page in read(client, CASES, ALL, after=0, until=last):
            for raw in page:
                if not raw.subject.startswith(mine):
                    continue
                commit = raw.commit()
                seen += len(commit.events)
                if commit.case in sample or len(sample) < SAMPLE:
                    sample.setdefault(commit.case, []).append(commit)
    assert seen == events
    return time.perf_counter() - began


async def _copying(dsn: str, changes: list[Change]) -> float:
    """Seconds to copy the rows of `changes`, which are made already, into tables like ours without indexes."""
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    await take_rows(connection)
    seconds = 0.0
    for projection in all_projections():
        seconds += await _copy(connection, projection, changes)
    await connection.close()
    return seconds


async def _copy(connection: asyncpg.Connection, projection: Projection, changes: list[Change]) -> float:
    target = target_of(projection)
    assert target is not None
    await connection.execute(f"create temp table like_{target.table} (like {target.table} including generated)")
    records = list(target.records([row for change in changes for row in projection.rows(change)]))
    began = time.perf_counter()
    await connection.copy_records_to_table(f"like_{target.table}", records=records, columns=target.columns)
    return time.perf_counter() - began
