"""A village that lived, its archive as it is kept, and backups that are brought back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from nats.aio.client import Client

from dispatch.archive import (
    Archivist,
    Shelf,
    restore,
)
from dispatch.cases import Cancel, Case, CaseDesk
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.events import CASES, CaseLog, connect, ensure_streams
from dispatch.fanout import place_behind
from dispatch.identifiers import CaseId, CommitId
from dispatch.settings import Settings
from tests.village import Village
from tests.waiting import until
from tests.workers import working

SITE = "s1"
SETTINGS = Settings(site=SITE, private_push_endpoints=True)


@asynccontextmanager
async def connected(server: EmbeddedNats) -> AsyncIterator[Client]:
    client = await connect(server.url, "test")
    await ensure_streams(client.jetstream())
    yield client
    await client.close()


@asynccontextmanager
async def archiving(nc: Client, folder: Path) -> AsyncIterator[None]:
    task = asyncio.create_task(Archivist(nc, SITE, folder).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def lived(village: Village) -> tuple[Case, Case]:
    """A case that was cancelled and one that is open, everybody called and told."""
    async with working(village, SETTINGS):
        first = await village.press()
        await village.finished(first)
        cancel = Cancel(id=CommitId("c"), at=now(), by="operator:op", reason="a slip")
        await CaseDesk(village.log).handle(first, cancel)
        await until(partial(told_over, village), "everybody to be told that it is over")
        second = await village.press()
        await village.finished(second)
    return await village.case(first), await village.case(second)


async def told_over(village: Village) -> bool:
    return all(len(rings) >= 2 for rings in village.rings())


async def of(nc: Client, case: CaseId) -> Case:
    return await CaseDesk(CaseLog(nc, SITE)).load(case)


async def restored(nc: Client, folder: Path, seal: str | None = None) -> None:
    await restore(nc, folder, seal=seal, place=partial(place_behind, nc))


async def caught_up(nc: Client, folder: Path) -> bool:
    info = await nc.jetstream().stream_info(CASES)
    return (folder / CASES / "head.json").exists() and Shelf(folder / CASES).head.seq == info.state.last_seq
