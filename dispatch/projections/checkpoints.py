"""How far a read model has come in the log, and whether that log is still the one it was reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec
from nats.aio.client import Client

from dispatch.events import CASES, CaseLog, all_cases, direct_get
from dispatch.identifiers import Site
from dispatch.projections.projection import Projection
from dispatch.projections.sql import load

NATS_SECONDS = 2.0


class CheckpointQueries(msgspec.Struct, frozen=True, kw_only=True):
    begin: str
    checkpoint: str
    held: str
    place: str
    any_begun: str


queries = load(Path(__file__).with_suffix(".sql"), CheckpointQueries)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The last commit taken in (`seq` 0: none yet), in the stream made at `stream_created`."""

    stream_created: datetime
    seq: int
    commit_id: str


class LogReplaced(Exception):
    """The log is not the one that the read model has been reading."""


class CheckpointMoved(Exception):
    """Somebody took the checkpoint back (a rebuild): read it again."""


async def begin(connection: asyncpg.Connection, site: Site, projection: str, created: datetime) -> Checkpoint:
    """The read model's checkpoint, made when there is none."""
    await connection.execute(queries.begin, site, projection, created)
    checkpoint = await current(connection, site, projection)
    if checkpoint is None:
        raise CheckpointMoved(projection)
    return checkpoint


async def current(connection: asyncpg.Connection, site: Site, projection: str) -> Checkpoint | None:
    return _checkpoint(await connection.fetchrow(queries.checkpoint, site, projection))


async def held(connection: asyncpg.Connection, site: Site, projection: str) -> Checkpoint | None:
    """The read model's checkpoint, which nobody else moves until the transaction of `connection` ends.

    Whoever writes into its tables takes this first, so that none waits for one who waits for it.
    """
    return _checkpoint(await connection.fetchrow(queries.held, site, projection))


def _checkpoint(record: asyncpg.Record | None) -> Checkpoint | None:
    return None if record is None else Checkpoint(**record)


async def any_begun(dsn: str, site: Site, projections: Sequence[Projection]) -> bool:
    """Whether any of `projections` has read anything."""
    connection = await asyncpg.connect(dsn, timeout=NATS_SECONDS)
    try:
        names = [projection.name for projection in projections]
        return bool(await connection.fetchval(queries.any_begun, site, names))
    finally:
        await connection.close()


async def place(connection: asyncpg.Connection, site: Site, projection: str, at: Checkpoint) -> None:
    """Say that the read model has come to `at`, whatever was said before."""
    await connection.execute(queries.place, site, projection, at.stream_created, at.seq, at.commit_id)


async def stream_created(nc: Client) -> datetime:
    """When the stream of the log was made. Raises `LogReplaced` when the server does not say."""
    info = await nc.jetstream(timeout=NATS_SECONDS).stream_info(CASES)
    if info.created is None:
        raise LogReplaced("the server does not say when the stream was made")
    return info.created


async def verify(nc: Client, log: CaseLog, checkpoint: Checkpoint) -> None:
    """Raise `LogReplaced` unless the log holds what the checkpoint says was read from it."""
    created = await stream_created(nc)
    if checkpoint.seq == 0:
        return
    if created != checkpoint.stream_created:
        raise LogReplaced(
            f"the stream {CASES} was made at {created.isoformat()}, but what is stored was read from one "
            f"made at {checkpoint.stream_created.isoformat()}"
        )
    found = await _commit_at(nc, log, checkpoint.seq)
    if found != checkpoint.commit_id:
        raise LogReplaced(
            f"sequence {checkpoint.seq} of {CASES} is {found or 'not there'}, but was {checkpoint.commit_id} "
            "when it was read: the end of the log was lost"
        )


async def _commit_at(nc: Client, log: CaseLog, seq: int) -> str | None:
    request: dict[str, object] = {"seq": seq, "next_by_subj": all_cases(log.site), "batch": 1}
    for message in await direct_get(nc, CASES, request):
        headers = message.headers or {}
        if headers.get("Nats-Sequence") == str(seq):
            return headers.get("ce-id", "")
    return None
