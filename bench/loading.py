"""Filling streams fast: on a server that does not wait for the disk, before ours reads the same folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path

from nats.aio.client import Client

from bench.scene import console, temporary_folder
from dispatch.embedded import EmbeddedNats
from dispatch.embedded.kept import write_private
from dispatch.events import connect, ensure_streams, keep_warm
from dispatch.settings import Settings

Message = tuple[str, bytes, dict[str, str] | None]
"""Subject, body and headers."""

_DURABLE, _HASTY = "sync_interval: always", 'sync_interval: "10m"'
_UNANSWERED = 4000
"""nats-server drops what comes faster than it stores when more than 10,000 messages wait for one stream."""


class HastyNats(EmbeddedNats):
    """Acknowledges before the disk has it, as nats-server does by default: for loading alone, never measured."""

    async def _prepare(self) -> None:
        await super()._prepare()
        ours = self._configuration().read_text()
        assert _DURABLE in ours
        write_private(self._configuration(), ours.replace(_DURABLE, _HASTY))


@asynccontextmanager
async def running(server: EmbeddedNats) -> AsyncIterator[Client]:
    """A connection to `server`, which runs meanwhile and has our streams."""
    async with server:
        nc = await connect(server.url, "bench")
        try:
            await ensure_streams(nc.jetstream())
            yield nc
        finally:
            await nc.close()


@asynccontextmanager
async def grown(
    sizes: Sequence[int], contents: Callable[[int], Iterable[Message]], of: str
) -> AsyncIterator[list[Client]]:
    """For each of `sizes` a connection to a server of ours with that many, all at once, to be measured in turns.

    Each is kept warm, as `watch` keeps it.
    """
    async with AsyncExitStack() as stack:
        folders = [Path(stack.enter_context(temporary_folder())) for _ in sizes]
        for folder, size in zip(folders, sizes, strict=True):
            await load(folder, contents(size), f"{size:,} {of}")
        clients = [await stack.enter_async_context(running(EmbeddedNats(folder))) for folder in folders]
        for client in clients:
            await stack.enter_async_context(_warm(client))
        yield clients


async def silence(seconds: float) -> None:
    """What comes after it is a first time: nats-server forgets files after 10 s, their indexes after 120."""
    with console.status(f"nobody asks for {seconds:g} s …"):
        await asyncio.sleep(seconds)


@asynccontextmanager
async def _warm(nc: Client) -> AsyncIterator[None]:
    keeping = asyncio.create_task(keep_warm(nc, Settings().warm_mib))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


async def load(folder: Path, messages: Iterable[Message], what: str) -> None:
    """Store `messages` in the streams of `folder`."""
    left, stored = iter(messages), 0
    with console.status(f"loading {what} …") as status:
        async with running(HastyNats(folder)) as nc:
            js = nc.jetstream(timeout=60)
            while chunk := list(islice(left, _UNANSWERED)):
                *most, last = chunk
                for subject, body, headers in most:
                    await nc.publish(subject, body, headers=headers)
                subject, body, headers = last
                await js.publish(subject, body, headers=headers)  # answered when all before it are stored
                stored += len(chunk)
                status.update(f"loading {what}: {stored:,} messages …")
