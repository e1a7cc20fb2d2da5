"""Rows and checkpoints of some read models, stored in one statement over one connection: all of them, or none.

Each read model's own `write` is called as it is. The checkpoints come first, as for everybody who writes into their
tables: so nobody waits for somebody who waits for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

import asyncpg
import msgspec

from dispatch.identifiers import Site
from dispatch.projections.projection import Projection
from dispatch.projections.sql import load


class StoringQueries(msgspec.Struct, frozen=True, kw_only=True):
    one: str
    all_of_them: str
    store: str


queries = load(Path(__file__).with_suffix(".sql"), StoringQueries)


class Elsewhere(Exception):
    """A checkpoint is not where it was left, or is there already; nothing was stored."""


class Storing:
    """Stores rows of the same read models of `site` again and again over `connection`."""

    def __init__(self, connection: asyncpg.Connection, site: Site) -> None:
        self.connection, self.site = connection, site

    @classmethod
    async def over(cls, connection: asyncpg.Connection, site: Site, projections: Sequence[Projection]) -> Self:
        """Make the functions on `connection`. Raises errors of asyncpg."""
        for projection in projections:
            await connection.execute(await connection.fetchval(queries.one, projection.name, projection.queries.write))
        names = [projection.name for projection in projections]
        await connection.execute(await connection.fetchval(queries.all_of_them, names))
        return cls(connection, site)

    async def store(
        self, created: datetime, places: Sequence[int], seq: int, commit_id: str, bodies: Sequence[str | None]
    ) -> None:
        """Store `bodies`, lists of rows in JSON, or None for no row, and move on to the commit `commit_id` at `seq`.

        Both in the order of the read models; `places` are those that their checkpoints must have reached, in the
        stream made at `created`. Raises `Elsewhere` when one has not, or is at `seq` already, and errors of asyncpg.
        """
        try:
            await self.connection.execute(queries.store, self.site, created, places, seq, commit_id, bodies)
        except asyncpg.SerializationError as error:
            raise Elsewhere(str(error)) from error
