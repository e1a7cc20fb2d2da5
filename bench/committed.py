"""Publish to committed: from a commit being sent to the log until every read model has it in Postgres.

The cases are of the last hour, as those are of which the log tells all day: a change of an older one is noted for the
reports as well, which costs a commit more (`docs/adr/0004-projections.md`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from bench.figures import Goal, Measured
from bench.results import Comparison
from bench.scene import console
from dispatch.events import CASES, CaseLog, connect, follow
from dispatch.identifiers import Site
from dispatch.projections import Projection, all_projections
from dispatch.projections.lane import Lane
from tests.waiting import until

PER_SECOND = 1000.0
CASES_SENT = 270
"""About 10,000 events: ten seconds."""
GOAL = Goal(p50=3, p99=20, bare_p50=0.74, bare_p99=4.2)
SETTLED_SECONDS = 30


async def compare(url: str, dsn: str) -> Comparison:
    """Ours, and beside it one reader that inserts a row for each commit."""
    bare = await _times(url, Site("bare"), _inserting(url, dsn))
    ours = await _times(url, Site("ours"), _projecting(url, dsn))
    return Comparison(
        title=f"publish to committed, {PER_SECOND:g} events/s in commits of one to three",
        bare=Measured("publish, read, insert one row", bare),
        ours=Measured(f"publish to committed in all {len(all_projections())} read models", ours),
        goal=GOAL,
    )


Committed = dict[int, int]
"""By sequence, when it was known to be committed, in monotonic nanoseconds."""


async def _times(url: str, site: Site, running: contextlib.AbstractAsyncContextManager[Committed]) -> list[float]:
    console.print(f"[dim]publish to committed: {site} …")
    async with running as committed:
        publisher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.history"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await publisher.communicate(f"{url} {site} 7 {CASES_SENT} {PER_SECOND}\n".encode())
        sent: list[tuple[int, int]] = json.loads(said)
        last = max(seq for seq, _ in sent)

        async def settled() -> bool:
            return max(committed, default=0) >= last

        await until(settled, "all to be committed", seconds=SETTLED_SECONDS)
    times, known = [], sorted(committed)
    place = 0
    for seq, began in sorted(sent):
        while known[place] < seq:  # a batch is committed when its last is
            place += 1
        times.append((committed[known[place]] - began) / 1e6)
    return times


@asynccontextmanager
async def _projecting(url: str, dsn: str) -> AsyncIterator[Committed]:
    nc = await connect(url, "bench")
    reached: dict[str, int] = {}
    committed: Committed = {}

    def moved(projection: Projection, seq: int) -> None:
        reached[projection.name] = seq
        if len(reached) == len(all_projections()) and min(reached.values()) == seq:
            committed.setdefault(seq, time.monotonic_ns())

    async def begun() -> bool:
        return lane.result() is None if lane.done() else len(reached) == len(all_projections())

    lane = asyncio.create_task(Lane(nc, CaseLog(nc, "ours"), dsn, all_projections(), moved=moved).run())
    try:
        await until(begun, "the read models to begin")
        yield committed
    finally:
        lane.cancel()
        await asyncio.wait({lane})
        await nc.close()


@asynccontextmanager
async def _inserting(url: str, dsn: str) -> AsyncIterator[Committed]:
    nc = await connect(url, "bench")
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    await connection.execute("create table bare (seq bigint primary key, body text)")
    committed: Committed = {}

    async def insert() -> None:
        async for message in follow(nc, CASES, "cases.bare.*.*"):
            seq = message.metadata.sequence.stream
            await connection.execute("insert into bare values ($1, $2)", seq, message.data.decode())
            committed[seq] = time.monotonic_ns()

    reader = asyncio.create_task(insert())
    try:
        yield committed
    finally:
        reader.cancel()
        await asyncio.wait({reader})
        await connection.close()
        await nc.close()
