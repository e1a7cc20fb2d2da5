"""Consuming and handling: our subscription beside FastStream, on one stream of one server, with one handler."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, StorageType, StreamConfig
from rich.progress import track

from bench.figures import Measured
from bench.results import Comparison
from bench.scene import connected, console
from dispatch.events import consume, work_consumer

STREAM, BACKLOG, STEADY = "WORK", "work.backlog", "work.steady"
ROUNDS = 5
PER_SECOND = 200.0
STEADY_MESSAGES = 400
"""In each round, after one that finds the consumer ready."""
AT_ONCE = 256
PATIENCE = 60.0
"""Seconds in which every message must have been handled."""
Handle = Callable[[Any], None]
Way = Callable[[ConsumerConfig, Handle], AbstractAsyncContextManager[None]]


async def compare(url: str, messages: int) -> list[Comparison]:
    """A backlog of `messages`, as fast as it goes, and messages at a steady pace. Fails when one is not handled."""
    async with connected(url) as nc:
        await nc.jetstream().add_stream(StreamConfig(name=STREAM, subjects=["work.*"], storage=StorageType.FILE))
        await _publish(nc, messages)
        bare, ours, pulled, pushed = _ways(nc, url)
        numbers = count()
        backlog: dict[str, list[float]] = {"bare": [], "ours": [], "pulled": [], "pushed": []}
        steady: dict[str, list[float]] = {name: [] for name in backlog}
        ways = {"bare": bare, "ours": ours, "pulled": pulled, "pushed": pushed}
        for _ in track(range(ROUNDS), description="consuming", console=console, transient=True):
            for name, way in ways.items():
                backlog[name].append(await _drain(way, next(numbers), messages))
                steady[name] += await _handled_after(nc, way, next(numbers))
    return [
        _comparison(f"consuming a backlog of {messages:,} messages, handled and acknowledged; per 1,000", backlog),
        _comparison(f"publish to handled, {PER_SECOND:g} messages/s", steady),
    ]


def _comparison(title: str, series: dict[str, list[float]]) -> Comparison:
    """Beside the faster of the peer's two ways."""
    peers = [Measured("FastStream, pull", series["pulled"]), Measured("FastStream, push", series["pushed"])]
    faster, slower = sorted(peers, key=lambda way: way.p50)
    return Comparison(
        title=title,
        bare=Measured("nats-py, push, a callback that acknowledges", series["bare"]),
        ours=Measured("consume()", series["ours"]),
        peer=faster,
        facts={"the_peer_in_its_other_way": slower.document()},
    )


def _ways(nc: Client, url: str) -> tuple[Way, Way, Way, Way]:
    from bench.peers.streamed import handling  # nobody else needs the library

    @asynccontextmanager
    async def bare(config: ConsumerConfig, handle: Handle) -> AsyncIterator[None]:
        async def acknowledge(message: Msg) -> None:
            handle(message.data)
            await message.ack()

        deliver = config.evolve(deliver_subject=nc.new_inbox())
        subscription = await nc.jetstream().subscribe(
            str(config.filter_subject), stream=STREAM, durable=str(config.durable_name), config=deliver,
            cb=acknowledge, manual_ack=True,
        )  # fmt: skip
        try:
            yield
        finally:
            await subscription.unsubscribe()

    @asynccontextmanager
    async def ours(config: ConsumerConfig, handle: Handle) -> AsyncIterator[None]:
        async def work() -> None:
            async with aclosing(consume(nc, STREAM, config, batch=AT_ONCE)) as messages:  # type: ignore[type-var]
                async for message in messages:
                    handle(msgspec.json.decode(message.data))
                    await message.ack()

        working = asyncio.create_task(work())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.wait({working})

    return (
        bare,
        ours,
        lambda config, handle: handling(url, STREAM, config, handle, pull=AT_ONCE),
        lambda config, handle: handling(url, STREAM, config, handle, pull=None),
    )


async def _publish(nc: Client, messages: int) -> None:
    js = nc.jetstream()
    for number in track(range(messages), description="publishing", console=console, transient=True):
        await (nc.publish if number + 1 < messages else js.publish)(BACKLOG, _document())


def _document() -> bytes:
    """As large as a press."""
    return msgspec.json.encode(
        {"at": time.monotonic_ns(), "press": "a5c1f0e2", "household": "h00001", "device": "key", "kind": "help"}
    )


async def _drain(way: Way, number: int, messages: int) -> float:
    """Milliseconds for each 1,000 of `messages`, from beginning to consume to the last handled."""
    left, done = messages, asyncio.Event()

    def handle(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    began = time.perf_counter()
    async with asyncio.timeout(PATIENCE), way(_config(number, BACKLOG), handle):
        await done.wait()
        took = time.perf_counter() - began
    assert left == 0
    return took / messages * 1e6


async def _handled_after(nc: Client, way: Way, number: int) -> list[float]:
    """Milliseconds from each publish to its handling."""
    took: list[float] = []
    subject, ready, done = f"{STEADY}{number}", asyncio.Event(), asyncio.Event()

    def handle(document: Any) -> None:
        heard = time.monotonic_ns()
        sent = document["at"] if isinstance(document, dict) else msgspec.json.decode(document)["at"]
        took.append((heard - sent) / 1e6)
        ready.set()
        if len(took) > STEADY_MESSAGES:
            done.set()

    async with asyncio.timeout(PATIENCE), way(_config(number, subject), handle):
        await nc.publish(subject, _document())
        await ready.wait()
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for each in range(STEADY_MESSAGES):
            await asyncio.sleep(max(0.0, begin + each / PER_SECOND - loop.time()))
            await nc.publish(subject, _document())
        await done.wait()
    assert len(took) == STEADY_MESSAGES + 1, "one was handled twice"
    return took[1:]


def _config(number: int, subject: str) -> ConsumerConfig:
    config = work_consumer(f"c{number}", subject, ack_wait=timedelta(seconds=30), max_ack_pending=10_000)
    assert config.ack_policy == AckPolicy.EXPLICIT
    return config
