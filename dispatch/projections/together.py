"""Several read models written in one statement over one connection: one way there and back, one commit.

Each read model's own `write` is called as it is. What one of them cannot take is none of this module's business: then
nothing is written, and each is to write for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import asyncpg
import msgspec

from dispatch.identifiers import Site
from dispatch.projections.sql import load
from dispatch.projections.steps import Step
from dispatch.projections.writer import BadRows, Prepared, Writer


class TogetherQueries(msgspec.Struct, frozen=True, kw_only=True):
    define: str
    all_of_them: str


queries = load(Path(__file__).with_suffix(".sql"), TogetherQueries)


class Together:
    """Writes what `writers` would, as long as they are in step."""

    def __init__(self, connection: asyncpg.Connection, site: Site, writers: Sequence[Writer], statement: str) -> None:
        self._connection, self._site, self._writers, self._statement = connection, site, writers, statement

    @classmethod
    async def over(cls, connection: asyncpg.Connection, site: Site, writers: Sequence[Writer]) -> Self:
        """Make the functions on `connection`, which belongs to this from here on. Raises errors of asyncpg."""
        for writer in writers:
            projection = writer.projection
            await connection.execute(
                await connection.fetchval(queries.define, projection.name, projection.queries.write)
            )
        names = [writer.projection.name for writer in writers]
        return cls(connection, site, writers, await connection.fetchval(queries.all_of_them, names))

    async def write(self, steps: Sequence[Step]) -> bool:
        """Store what `steps` change for all; whether that was done. Raises `CheckpointMoved` and what says that
        Postgres went away.
        """
        last = steps[-1]
        if any(writer.position >= steps[0].seq for writer in self._writers):
            return False  # one is ahead
        try:
            prepared = [writer.prepare(steps) for writer in self._writers]
            for writer, one in zip(self._writers, prepared, strict=True):
                await writer.make_months(one)
            moved = await self._connection.fetchrow(self._statement, *self._arguments(last, prepared))
        except (BadRows, asyncpg.PostgresError, TimeoutError):
            return False  # which of them it was shows when each writes for itself
        for writer, one, here in zip(self._writers, prepared, moved or (), strict=True):
            if not here:
                await writer.require_reached(last.seq)
            writer.stored(one)
        return True

    def _arguments(self, last: Step, prepared: Sequence[Prepared]) -> list[object]:
        arguments: list[object] = [self._site, self._writers[0].checkpoint.stream_created, last.seq, last.commit_id]
        for writer, one in zip(self._writers, prepared, strict=True):
            arguments += [writer.position, one.body]
        return arguments
