"""The fan-out at work for a village: inside the test's own process, or as the process that it really is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.access import Links, load_keys
from dispatch.cases import CaseDesk
from dispatch.clock import Clock, now
from dispatch.events import CaseLog, connect
from dispatch.fanout import Fanout, Watchdog, work
from dispatch.fanout.stand_in import StandIn
from dispatch.roster import Roster
from dispatch.settings import Settings
from tests.commands import Started
from tests.village import Village
from tests.waiting import until


@asynccontextmanager
async def working(village: Village, settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """A worker on the village's own connection, stopped as SIGTERM stops it."""
    async with _running(await _worker(village.nc, settings)) as (task,):
        yield task


@asynccontextmanager
async def several_working(
    village: Village, settings: Settings, *, workers: int = 1, watched: bool = False
) -> AsyncIterator[None]:
    """So many workers, each with a connection of its own, and on demand a watchdog that looks only."""
    async with AsyncExitStack() as stack:
        known: list[Fanout | Watchdog] = []
        for number in range(workers):
            client = await connect(settings.require_nats(), f"worker-{number}")
            stack.push_async_callback(client.close)
            known.append(await _worker(client, settings))
        if watched:
            known.append(Watchdog(village.nc, village.log, settings))
        await stack.enter_async_context(_running(*known))
        yield


@asynccontextmanager
async def on_watch(
    village: Village, settings: Settings, *, stand_in: StandIn | None = None, clock: Clock = now
) -> AsyncIterator[None]:
    """A watchdog, which must still be at work in the end; with a `stand_in` it acts for a fan-out that is away."""
    watchdog = Watchdog(village.nc, village.log, settings, stand_in=stand_in, clock=clock)
    task = asyncio.create_task(watchdog.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def leave_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is stopped waits but shortly for what it has in hand: it would wait in vain."""
    monkeypatch.setattr(work, "LEAVE_SECONDS", 0.5)


async def _worker(nc: Client, settings: Settings) -> Fanout:
    keys = await load_keys(nc, settings.site)
    return Fanout(
        nc,
        site=settings.site,
        desk=CaseDesk(CaseLog(nc, settings.site)),
        roster=Roster(nc, settings.site),
        links=Links(keys.link_secret, "https://dispatch.example"),
        keys=keys,
        settings=settings,
    )


@asynccontextmanager
async def _running(*parts: Fanout | Watchdog) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class FanoutProcess:
    """`dispatch fanout`, really. Leaving the context kills it."""

    def __init__(self, nc: Client, settings: Settings) -> None:
        self._nc, self._site = nc, settings.site
        self._environment = {
            **os.environ,
            "DISPATCH_SITE": settings.site,
            "DISPATCH_NATS_URL": settings.require_nats(),
            "DISPATCH_PRIVATE_PUSH_ENDPOINTS": "true",
            "DISPATCH_LOG_LEVEL": "error",
        }

    async def __aenter__(self) -> Self:
        self._process = await asyncio.to_thread(Started, "fanout", env=self._environment)
        self._end = asyncio.create_task(self._process.ended())
        try:
            await until(self._is_up, "`dispatch fanout` to answer")
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def _is_up(self) -> bool:
        assert not self._end.done()
        with contextlib.suppress(NatsError, TimeoutError):
            return bool(await self._nc.request(f"ops.{self._site}.ping.fanout", timeout=0.5))
        return False

    async def kill(self) -> None:
        """As the kernel does it: at once, without a word."""
        if not self._end.done():
            os.kill(self._process.pid, signal.SIGKILL)
        await self._end
