"""The work of one durable consumer: what is tried again, and what is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.errors import Unavailable
from dispatch.events import DLQ, INTAKE
from dispatch.fanout import work
from dispatch.fanout.work import TRIES, Job, Work
from dispatch.identifiers import Site
from tests.waiting import until

OUTAGE = 2 * TRIES
"""How often the message comes while what it needs is away."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "RETRY_SECONDS", 0.01)


@asynccontextmanager
async def working(nc: Client, site: Site, handle: Callable[[int], None]) -> AsyncIterator[asyncio.Event]:
    """A worker of the site's presses that counts how often one came, and says when it was done with one."""
    times, done = 0, asyncio.Event()

    async def handler(_message: Msg) -> None:
        nonlocal times
        times += 1
        handle(times)
        done.set()

    job = Job(stream=INTAKE, subject=f"intake.press.{site}.*", name="tried", handler=handler, at_once=8)
    task = asyncio.create_task(Work(nc, site, job).run())
    try:
        await nc.jetstream().publish(f"intake.press.{site}.h-1", b"{}")
        yield done
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def letters(nc: Client, site: Site) -> int:
    state = (await nc.jetstream().stream_info(DLQ, subjects_filter=f"dlq.{site}.>")).state
    return sum((state.subjects or {}).values())


async def test_an_error_after_a_long_outage_does_not_bury_a_press(nc: Client, site: Site) -> None:
    def handle(times: int) -> None:
        if times <= OUTAGE:
            raise Unavailable("the log is away")
        if times == OUTAGE + 1:
            raise RuntimeError("nobody expected it")

    async with working(nc, site, handle) as done:
        await asyncio.wait_for(done.wait(), 20)
    assert await letters(nc, site) == 0


async def test_a_press_that_meets_an_error_each_time_is_given_up(nc: Client, site: Site) -> None:
    came: list[int] = []

    def handle(times: int) -> None:
        came.append(times)
        raise RuntimeError("nobody expected it")

    async def buried() -> bool:
        return await letters(nc, site) == 1

    async with working(nc, site, handle):
        await until(buried, "it to be buried")
    assert came == [*range(1, TRIES + 1)]


async def test_a_worker_says_on_that_it_is_at_it_after_an_error_that_nobody_expected(
    nc: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the server would give the message to another, and somebody would be rung twice."""
    said, says = 0, Msg.in_progress

    async def failing(self: Msg) -> None:
        nonlocal said
        said += 1
        if said == 1:
            raise RuntimeError("nobody expected it")
        await says(self)

    monkeypatch.setattr(Msg, "in_progress", failing)
    monkeypatch.setattr(work, "BEAT_SECONDS", 0.1)
    long, came = asyncio.Event(), 0

    async def handler(_message: Msg) -> None:
        nonlocal came
        came += 1
        await long.wait()

    async def said_on() -> bool:
        return said > 3

    job = Job(stream=INTAKE, subject=f"intake.press.{site}.*", name="long", handler=handler, at_once=8)
    task = asyncio.create_task(Work(nc, site, job).run())
    try:
        await nc.jetstream().publish(f"intake.press.{site}.h-1", b"{}")
        await until(said_on, "it to say so again")
        assert came == 1
    finally:
        long.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
