"""The watchdog's own channel: who runs the system is told of trouble and of its end, without NATS."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.events import CaseLog, Incident, connect, ensure_streams
from dispatch.fanout import Watchdog, watchdog
from dispatch.fanout.alerts import LINES, SETTLED, Alerts
from dispatch.settings import Settings
from tests.receivers import Receiver, receiving, status
from tests.servers import open_folder
from tests.waiting import until


def incident(what: str, *, age: timedelta = SETTLED + timedelta(seconds=1)) -> Incident:
    return Incident(kind="silent", what=what, since=now() - age, detail=f"进程 {what} 没有应答")


def messages(duty: Receiver) -> list[dict[str, str]]:
    return [json.loads(request.body) for request in duty.requests]


async def heard(duty: Receiver, condition: Callable[[list[dict[str, str]]], bool], what: str) -> None:
    async def true() -> bool:
        return condition(messages(duty))

    await until(true, what)


@asynccontextmanager
async def telling(duty: Receiver) -> AsyncIterator[Alerts]:
    alerts = Alerts([duty.url.replace("http://", "json://")], "s", pause=0.05)
    task = asyncio.create_task(alerts.run())
    try:
        yield alerts
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def duty() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_trouble_is_told_once_and_so_is_its_end(duty: Receiver) -> None:
    async with telling(duty) as alerts:
        for _ in range(3):
            alerts.are([incident("fanout"), incident("serve")])
        await heard(duty, lambda said: len(said) == 1, "the trouble")
        alerts.are([incident("fanout"), incident("serve")])
        alerts.are([incident("serve")])
        await heard(duty, lambda said: len(said) == 2, "that one is over")
    first, second = messages(duty)
    assert "fanout" in first["message"]
    assert "serve" in first["message"]
    assert "fanout" in second["message"]
    assert "serve" not in second["message"]
    assert "恢复" in second["title"]


async def test_what_is_over_at_once_wakes_nobody(duty: Receiver) -> None:
    async with telling(duty) as alerts:
        alerts.are([incident("fanout", age=timedelta())])
        alerts.are([])
        alerts.are([incident("serve")])
        await heard(duty, lambda said: len(said) == 1, "the one that lasts")
    assert "fanout" not in messages(duty)[0]["message"]


async def test_what_could_not_be_told_is_told_again(duty: Receiver) -> None:
    duty.answer = status(500, 500, 200)
    async with telling(duty) as alerts:

        async def told() -> bool:
            alerts.are([incident("fanout")])  # as each look of the watchdog does
            return len(duty.requests) >= 3

        await until(told, "it to be tried until it is told", every=0.05)
        count = len(duty.requests)
        alerts.are([incident("fanout"), incident("serve")])
        await heard(duty, lambda said: len(said) == count + 1, "the next trouble")
    assert "fanout" not in messages(duty)[-1]["message"]


async def test_a_bad_night_is_one_message(duty: Receiver) -> None:
    async with telling(duty) as alerts:
        alerts.are([incident(f"r-{number}") for number in range(100)])
        await heard(duty, lambda said: len(said) == 1, "the trouble")
    lines = messages(duty)[0]["message"].splitlines()
    assert len(lines) == LINES + 1
    assert "80" in lines[-1]


@pytest.mark.embedded
async def test_the_message_server_is_gone_and_somebody_hears_of_it(
    duty: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "BLIND", timedelta(seconds=1))
    with open_folder() as folder:
        async with EmbeddedNats(folder) as server:
            client = await connect(server.url, "watch")
            await ensure_streams(client.jetstream())
            settings = Settings(site="s", nats_url=server.url, watch_urls=duty.url.replace("http://", "json://"))
            task = asyncio.create_task(Watchdog(client, CaseLog(client, "s"), settings).run())
            try:
                await server.kill()
                await heard(duty, lambda said: any("blind.watch" in one["message"] for one in said), "the alert")
            finally:
                task.cancel()
                await asyncio.wait([task])
                await server.start()
                with contextlib.suppress(ConnectionError):
                    await client.close()
