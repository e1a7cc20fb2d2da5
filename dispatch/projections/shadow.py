"""Tables beside the live ones, in a schema of their own: made like them, compared with them, put in their place.

The live tables stand in the schema `public`, where the migrations put them. Whatever touches a table's name is made by
Postgres itself (`format` with `%I`, in `shadow.sql`) and carried out here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from dispatch.errors import Refused
from dispatch.identifiers import Site, short_hash
from dispatch.projections import checkpoints
from dispatch.projections.checkpoints import Checkpoint
from dispatch.projections.copying import tables_of
from dispatch.projections.projection import Projection
from dispatch.projections.sql import load

CONNECT_SECONDS = 5.0
LOCK_MILLISECONDS = 1500
"""Less than the 2 s that a reader of the live tables waits for its answer."""
EXAMPLES = 3
SAMPLED = 10
"""A tenth of what Postgres samples by itself (`default_statistics_target`): its autovacuum looks closer later."""
FOR_INDEXES = {
    "maintenance_work_mem": "256MB",
    "default_statistics_target": str(SAMPLED),
    "max_parallel_maintenance_workers": "0",  # as many are made side by side as there are processors
    "synchronous_commit": "off",  # the switch is not, and brings all before it to the disk
}
LONGEST_NAME = 63


class ShadowQueries(msgspec.Struct, frozen=True, kw_only=True):
    make: str
    index: str
    compare: str
    hold: str
    months: str
    carry: str
    switch: str
    alone: str
    by_itself: str


queries = load(Path(__file__).with_suffix(".sql"), ShadowQueries)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one table that are not the same in both: how many, and some, as live and rebuilt (None: not there)."""

    table: str
    rows: int
    examples: tuple[tuple[dict[str, Any] | None, dict[str, Any] | None], ...] = ()


def schema_of(site: Site) -> str:
    """Where the read models of `site` are rebuilt."""
    name = f"rebuild_{site}"
    return name if len(name) <= LONGEST_NAME else f"rebuild_{short_hash(site, length=26)}"


class Shadow:
    """The tables of some read models of `site`, beside the live ones. `connection` is the rebuild's own."""

    def __init__(self, connection: asyncpg.Connection, site: Site) -> None:
        self._connection, self._site, self.schema = connection, site, schema_of(site)

    async def require_alone(self) -> None:
        """Raise `Refused` when another rebuild of this site is under way; from here on this one is."""
        if not await self._connection.fetchval(queries.alone, self._site):
            raise Refused(f"the read models of {self._site} are being rebuilt already; wait until that has ended")

    async def make(self, projections: Sequence[Projection]) -> None:
        """Empty tables without indexes, and checkpoints; what an earlier rebuild left behind is dropped."""
        async with self._connection.transaction():
            await self.drop()
            await self._connection.execute(f'create schema "{self.schema}"')
            tables = ["public.checkpoints"]
            for projection in projections:
                tables += _live(projection)
            await _carry_out(self._connection, queries.make, self.schema, tables)
            for each in await self._connection.fetch(queries.index, self.schema, ["public.checkpoints"]):
                await self._connection.execute(";".join(each["statements"]))

    async def drop(self) -> None:
        await self._connection.execute(f'drop schema if exists "{self.schema}" cascade')

    async def index(self, projections: Sequence[Projection], dsn: str) -> None:
        """Give the tables the keys and indexes of the live ones, and tell the planner roughly what they hold."""
        tables = [table for projection in projections for table in _live(projection)]
        given = await self._connection.fetch(queries.index, self.schema, tables)
        for after in (False, True):
            await _side_by_side(dsn, [each["statements"] for each in given if each["after"] is after])

    @asynccontextmanager
    async def held(self, projection: Projection) -> AsyncIterator[Checkpoint | None]:
        """Keep the live read model where it is, and yield where that is (None: it has never begun); it can be read.

        What is done with `connection` in the meantime is one transaction. Whoever writes waits, so be quick.
        Raises `asyncpg.LockNotAvailableError` when somebody holds the tables for long: try again.
        """
        async with self._connection.transaction():
            await self._connection.execute(f"set local lock_timeout = {LOCK_MILLISECONDS}")
            await self._connection.execute(queries.by_itself, self._site, projection.name)
            at = await checkpoints.held(self._connection, self._site, projection.name)
            await _carry_out(self._connection, queries.hold, _live(projection))
            yield at

    async def compare(self, snapshot: asyncpg.Connection, projection: Projection) -> list[Difference]:
        """What differs between the live tables and these, as `snapshot` sees both."""
        found = []
        for table in await snapshot.fetch(queries.compare, self.schema, _live(projection)):
            rows = await snapshot.fetchval(table["count"], self._site)
            examples = await snapshot.fetch(table["examples"], self._site, EXAMPLES) if rows else ()
            found.append(
                Difference(
                    table=table["name"],
                    rows=rows,
                    examples=tuple((_decoded(pair["live"]), _decoded(pair["rebuilt"])) for pair in examples),
                )
            )
        return found

    async def switch(self, projection: Projection, at: Checkpoint) -> None:
        """Inside `held`: put these tables in the place of the live ones, with the checkpoint `at`."""
        await _carry_out(self._connection, queries.months, self.schema, _live(projection))
        await _carry_out(self._connection, queries.carry, self.schema, _live(projection), self._site)
        await _carry_out(self._connection, queries.switch, self.schema, _live(projection))
        await checkpoints.place(self._connection, self._site, projection.name, at)


async def _side_by_side(dsn: str, lists: Iterable[Sequence[str]]) -> None:
    """Carry out each list of statements in its order, and as many lists at a time as there are processors."""
    left = iter(lists)

    async def some() -> None:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, server_settings=FOR_INDEXES)
        try:
            for statements in left:
                for statement in statements:
                    await connection.execute(statement)
        finally:
            connection.terminate()

    await asyncio.gather(*(some() for _ in range(os.cpu_count() or 1)))


async def _carry_out(connection: asyncpg.Connection, query: str, *arguments: Any) -> None:
    """Carry out the statements that `query` gives."""
    for (statement,) in await connection.fetch(query, *arguments):
        await connection.execute(statement)


def _live(projection: Projection) -> list[str]:
    return [f"public.{table}" for table in tables_of(projection)]


def _decoded(document: str | None) -> dict[str, Any] | None:
    return None if document is None else msgspec.json.decode(document)
