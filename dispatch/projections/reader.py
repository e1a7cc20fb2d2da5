"""Asking Postgres for what the read models hold, and saying plainly when it does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeAlias

import asyncpg
import msgspec

from dispatch.errors import Malformed, Unavailable
from dispatch.identifiers import Site

CONNECT_SECONDS = 2.0
SETTINGS: Final = {
    "application_name": "dispatch read",
    "DateStyle": "ISO",
    # A plan for the filters that are given, and no compiling that takes longer than the answer.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "work_mem": "32MB",
    # What is asked for lies in memory or on a disk without a head; with Postgres's 4 a list of an area without cases
    # went through all those of the others.
    "random_page_cost": "1.1",
    # Who asks for a whole month waits for its rows to be read: a second processor reads half of them.
    "max_parallel_workers_per_gather": "1",
    # It hands over sums rather than rows: what has nearly as many keys as rows, as people have, is counted by one.
    "parallel_tuple_cost": "0.02",
    # Postgres expects 8 kB of seconds gathered for each key, where there is hardly one: with its 2 it would rather sort
    # the calls of a month than sum up those of ten thousand groups as they come.
    "hash_mem_multiplier": "8",
}
"""Of each connection."""

Row = Mapping[str, Any]
Values = tuple[Any, ...]
Asked = Callable[..., Awaitable[Sequence[Values]]]
Connection: TypeAlias = "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy"


class Reader:
    """A few connections for questions about one site. Connects when it is first asked, and again after an absence."""

    def __init__(self, dsn: str, site: Site, *, connections: int, seconds: float) -> None:
        """`seconds` is how long an answer may take."""
        self._dsn, self._site, self._connections, self._seconds = dsn, site, connections, seconds
        self._pool: asyncpg.Pool | None = None

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Row]:
        """The rows of `query`, whose first parameter is the site; times are in UTC.

        Raises `Unavailable` when Postgres does not answer in time, and `Malformed` for a value that it cannot take.
        """
        async with self._answering():
            return await self._fetch(await self._ready(), query, *arguments)

    @asynccontextmanager
    async def at_one_moment(self) -> AsyncIterator[Asked]:
        """A `values` for several queries that all see the same rows. Raises as that does, and all of it in time."""
        async with (
            self._answering(),
            (await self._ready()).acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield partial(self._values, connection)

    async def _fetch(self, place: asyncpg.Pool | Connection, query: str, *arguments: Any) -> Sequence[Row]:
        return [dict(record) for record in await place.fetch(query, self._site, *arguments)]

    async def values(self, query: str, *arguments: Any) -> Sequence[Values]:
        """The same without the names of the columns, for what has thousands of rows. Raises as `fetch` does."""
        async with self._answering():
            return await self._values(await self._ready(), query, *arguments)

    async def _values(self, place: asyncpg.Pool | Connection, query: str, *arguments: Any) -> Sequence[Values]:
        return [tuple(record) for record in await place.fetch(query, self._site, *arguments)]

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except asyncpg.DataError as error:
            raise Malformed(f"a value that the database cannot take: {error}") from error
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Unavailable(
                f"the read models do not answer ({type(error).__name__}: {error}); calls and replies go on without them"
            ) from error

    def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    async def _ready(self) -> asyncpg.Pool:
        if self._pool is None:
            # With no connection to begin with, making the pool waits for nothing.
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=0,
                max_size=self._connections,
                timeout=CONNECT_SECONDS,
                command_timeout=self._seconds,
                init=_decode_json,
                server_settings=SETTINGS,
            )
        return self._pool


async def _decode_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: msgspec.json.encode(value).decode(),
        decoder=msgspec.json.decode,
    )
