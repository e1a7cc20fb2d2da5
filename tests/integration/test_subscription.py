"""Shared work on a real nats-server: nothing is skipped, nothing stalls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from dispatch.embedded import EmbeddedNats
from dispatch.events import connect, consume, follow, subscription, work_consumer
from dispatch.events.subscription import Pull
from tests.waiting import until

pytestmark = pytest.mark.embedded


@pytest.fixture
async def nc(own_nats: EmbeddedNats) -> AsyncIterator[Client]:
    client = await connect(own_nats.url, "test")
    await client.jetstream().add_stream(StreamConfig(name="WORK", subjects=["work.*"]))
    yield client
    await client.jetstream().delete_stream("WORK")
    with suppress(ConnectionError):  # a test may have just killed the server
        await client.close()


class Worker:
    """Takes work and notes it down; `lazy` ones never acknowledge."""

    def __init__(self, nc: Client, *, lazy: bool = False, ack_wait: float = 30) -> None:
        self.done: list[str] = []
        self._nc, self._lazy = nc, lazy
        self._config = work_consumer("workers", "work.*", ack_wait=timedelta(seconds=ack_wait), max_ack_pending=1000)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for message in consume(self._nc, "WORK", self._config, batch=32):
            self.done.append(message.data.decode())
            if not self._lazy:
                await message.ack()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


async def done(condition: Callable[[], bool]) -> None:
    await until(condition, "the messages to be done", seconds=15)


async def publish(nc: Client, first: int, count: int) -> list[str]:
    names = [str(number) for number in range(first, first + count)]
    for name in names:
        await nc.jetstream().publish("work.a", name.encode())
    return names


async def test_two_workers_share_the_work(nc: Client) -> None:
    workers = [Worker(nc), Worker(nc)]
    names = await publish(nc, 0, 300)
    await done(lambda: sum(len(w.done) for w in workers) >= 300)
    assert sorted(int(n) for w in workers for n in w.done) == [int(n) for n in names]
    for worker in workers:
        await worker.stop()


async def test_work_arrives_while_the_server_is_killed_and_started(own_nats: EmbeddedNats, nc: Client) -> None:
    worker = Worker(nc)
    names = await publish(nc, 0, 50)
    await done(lambda: len(worker.done) >= 50)
    await own_nats.kill()
    await own_nats.start()
    loop = asyncio.get_running_loop()
    names += await publish(nc, 50, 50)
    published = loop.time()
    await done(lambda: set(worker.done) == set(names))
    assert loop.time() - published < 3, "a plain fetch() held messages for 8 s here"
    await worker.stop()


async def test_a_reader_whose_watcher_died_hears_of_a_silence_all_the_same(
    own_nats: EmbeddedNats, nc: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who does not hear of it would wait for messages for ever."""
    died, watch = asyncio.Event(), Pull._watch

    async def dying(self: Pull) -> None:
        if not died.is_set():
            died.set()
            raise RuntimeError("nobody expected it")
        await watch(self)

    monkeypatch.setattr(Pull, "_watch", dying)
    worker = Worker(nc)
    names = await publish(nc, 0, 5)
    await done(lambda: len(worker.done) >= 5)
    await own_nats.kill()
    await own_nats.start()
    names += await publish(nc, 5, 5)
    await done(lambda: set(worker.done) == set(names))
    await worker.stop()


async def test_a_deleted_consumer_is_made_again_after_an_error_that_nobody_expected(
    nc: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(nc)
    names = await publish(nc, 0, 5)
    await done(lambda: len(worker.done) == 5)
    failed, make = asyncio.Event(), subscription._make

    async def failing(*args: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("nobody expected it")
        await make(*args)

    monkeypatch.setattr(subscription, "_make", failing)
    await nc.jetstream().delete_consumer("WORK", "workers")
    names += await publish(nc, 5, 5)
    await done(lambda: set(worker.done) == set(names))
    assert failed.is_set()
    await worker.stop()


async def test_a_consumer_that_somebody_deleted_is_made_again(nc: Client) -> None:
    worker = Worker(nc)
    names = await publish(nc, 0, 5)
    await done(lambda: len(worker.done) == 5)
    await nc.jetstream().delete_consumer("WORK", "workers")
    names += await publish(nc, 5, 5)
    await done(lambda: set(worker.done) == set(names))
    await worker.stop()


async def test_what_a_worker_leaves_unfinished_another_gets(nc: Client) -> None:
    lazy = Worker(nc, lazy=True, ack_wait=0.5)
    await publish(nc, 0, 10)
    await done(lambda: len(lazy.done) >= 10)
    await lazy.stop()
    worker = Worker(nc, ack_wait=0.5)
    await done(lambda: len(set(worker.done)) == 10)
    await worker.stop()


@pytest.mark.parametrize("how", ["consume", "follow"])
async def test_a_stop_in_the_moment_of_an_answer_is_heeded(
    how: str, nc: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for` of Python 3.11 forgets a cancellation that comes together with the answer."""
    asked, add = asyncio.Event(), JetStreamContext.add_consumer

    async def answered_and_cancelled_at_once(*args: Any, **config: Any) -> Any:
        info = await add(*args, **config)
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return info

    monkeypatch.setattr(JetStreamContext, "add_consumer", answered_and_cancelled_at_once)
    config = work_consumer("workers", "work.*", ack_wait=timedelta(seconds=30), max_ack_pending=1000)
    reading = consume(nc, "WORK", config) if how == "consume" else follow(nc, "WORK", "work.*")
    task = asyncio.ensure_future(anext(reading))
    await asked.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    task.cancel()
    assert done == {task}
    assert task.cancelled()
