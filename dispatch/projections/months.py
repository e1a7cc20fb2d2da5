"""Tables that are kept by month: each month's partition is there before a row needs it.

Which tables those are is asked of Postgres, so that a migration alone decides it. The months of now and of 30 days from
now are made when a read model begins, any other when the first row of it comes: a history may be years old.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import asyncpg
import msgspec

from dispatch.clock import now
from dispatch.projections.sql import load

AHEAD = timedelta(days=30)
Month = tuple[str, int, int]
"""A table, a year and a month in UTC."""


class MonthQueries(msgspec.Struct, frozen=True, kw_only=True):
    keys: str
    ensure: str
    spare: str


queries = load(Path(__file__).with_suffix(".sql"), MonthQueries)


class Months:
    """The months that are known to be there, for some tables and over one connection."""

    def __init__(
        self, connection: asyncpg.Connection, columns: Sequence[tuple[str, str]], *, beside: bool = False
    ) -> None:
        self._connection, self._columns, self._beside = connection, columns, beside
        self._known: set[Month] = set()

    @classmethod
    async def of(cls, connection: asyncpg.Connection, tables: Sequence[str], *, beside: bool = False) -> Self:
        """The months of `tables`, names as `connection` knows them; this month and the next are made.

        Those of tables `beside` the live ones are spared autovacuum, until they take the place of those.
        """
        keys = await connection.fetch(queries.keys, list(tables))
        months = cls(connection, [(key["name"], key["column"]) for key in keys], beside=beside)
        at = now()
        for moment in (at, at + AHEAD) if keys else ():
            for table, _ in months._columns:
                await months.ensure({(table, moment.year, moment.month)})
        return months

    def of_rows(self, rows: Sequence[msgspec.Struct]) -> set[Month]:
        """The months that `rows` need."""
        needed: set[Month] = set()
        for table, column in self._columns:
            for moment in filter(None, {getattr(row, column, None) for row in rows}):
                in_utc = moment.astimezone(UTC)
                needed.add((table, in_utc.year, in_utc.month))
        return needed

    async def ensure(self, needed: set[Month]) -> None:
        """Make what is missing. Raises errors of asyncpg."""
        for month in needed - self._known:
            table, year, number = month
            await self._connection.execute(queries.ensure, table, datetime(year, number, 1, tzinfo=UTC))
            for (statement,) in await self._connection.fetch(queries.spare, table) if self._beside else ():
                await self._connection.execute(statement)
            self._known.add(month)
