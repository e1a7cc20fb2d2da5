"""Reading a stream without stalling.

Both ways of reading keep a pull request outstanding at all times and believe the server's idle
heartbeats: when neither a message nor a heartbeat comes for `SILENCE_SECONDS`, the request is
made anew. A plain `fetch()` in a loop stalls for seconds around a server's restart; this does not.

- `consume`: work that is shared and acknowledged, one durable consumer for all workers.
- `follow`: the log itself, in order and without gaps, from a position; nothing to acknowledge.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Self

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from dispatch.events.going_on import going_on
from dispatch.events.stopping import end_if_stopping

log = structlog.get_logger()

HEARTBEAT_SECONDS = 0.5
SILENCE_SECONDS = 1.5
REQUEST_SECONDS = 30.0
_NANOS = 1_000_000_000


class Pull:
    """A pull consumer that is always asked for more. Iterate over it; it ends only when it is closed."""

    def __init__(self, nc: Client, stream: str, consumer: str, *, batch: int) -> None:
        self._nc, self._batch = nc, batch
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = nc.new_inbox()
        self._messages: asyncio.Queue[Msg] = asyncio.Queue()
        self._outstanding = 0
        self._heard = asyncio.get_running_loop().time()
        self.lost = asyncio.Event()
        """Set when the server says, or its silence suggests, that the consumer is gone."""
        self.stirred = asyncio.Event()
        """Set when a message has come or the consumer is lost; whoever waits for both clears it."""

    async def __aenter__(self) -> Self:
        self._subscription = await self._nc.subscribe(
            self._inbox, cb=self._receive, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        await self._request()
        self._watcher = asyncio.create_task(going_on("subscription.watch", self._watch))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watcher.cancel()
        with contextlib.suppress(NatsError):
            await self._subscription.unsubscribe()

    async def next(self) -> Msg:
        """The next message, waited for as long as it takes."""
        if self._messages.empty():
            return await self._messages.get()
        message = self._messages.get_nowait()
        await self._request()
        return message

    def waiting(self) -> int:
        """How many messages have arrived and wait here."""
        return self._messages.qsize()

    async def _request(self) -> None:
        missing = self._batch - self._outstanding - self._messages.qsize()
        if missing * 2 < self._batch:
            return
        self._outstanding += missing
        body = {
            "batch": missing,
            "expires": int(REQUEST_SECONDS * _NANOS),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * _NANOS),
        }
        with contextlib.suppress(NatsError):  # not connected: the watcher asks again
            await self._nc.publish(self._subject, json.dumps(body).encode(), reply=self._inbox)

    async def _receive(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        status = (message.headers or {}).get("Status")
        if status is None:
            self._outstanding = max(0, self._outstanding - 1)
            self._messages.put_nowait(message)
            self.stirred.set()
        elif status == "100":
            return
        else:
            # The request is over (408 expired, 409 consumer or server went, 503 nobody there).
            left = (message.headers or {}).get("Nats-Pending-Messages")
            self._outstanding = max(0, self._outstanding - int(left)) if left else 0
            if status != "408":
                self._lose()
                return
        await self._request()

    def _lose(self) -> None:
        self._outstanding = 0
        self.lost.set()
        self.stirred.set()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if loop.time() - self._heard > SILENCE_SECONDS:
                self._lose()
                await self._request()


def work_consumer(name: str, subject: str, *, ack_wait: timedelta, max_ack_pending: int) -> ConsumerConfig:
    """A durable consumer for work that one of several workers does.

    A message that is neither acknowledged nor reported as in progress within `ack_wait` goes to
    another worker. Deliveries are not counted out: a message is given up by us, with a reason, or never.
    """
    return ConsumerConfig(
        durable_name=name,
        filter_subject=subject,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait.total_seconds(),
        max_deliver=-1,
        max_ack_pending=max_ack_pending,
    )


async def begin_behind(nc: Client, stream: str, config: ConsumerConfig, seq: int) -> None:
    """Make the durable consumer of `config` before anybody reads with it: it begins behind sequence `seq`."""
    place = config.evolve(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=seq + 1)
    await nc.jetstream().add_consumer(stream, place)


async def _make(nc: Client, stream: str, config: ConsumerConfig) -> None:
    """Make the consumer, or bring it up to date; where it began stays as it is, for that cannot be changed."""
    with contextlib.suppress(NotFoundError):
        there = (await nc.jetstream().consumer_info(stream, str(config.durable_name))).config
        config = config.evolve(deliver_policy=there.deliver_policy, opt_start_seq=there.opt_start_seq)
    await nc.jetstream().add_consumer(stream, config)


async def consume(nc: Client, stream: str, config: ConsumerConfig, *, batch: int = 256) -> AsyncIterator[Msg]:
    """Messages of a durable consumer, for as long as the caller wants; each must be acknowledged by the caller."""
    name = str(config.durable_name)
    await _make(nc, stream, config)
    async with Pull(nc, stream, name, batch=batch) as pull, _kept_alive(nc, stream, config, pull):
        while True:
            end_if_stopping()
            yield await pull.next()


@asynccontextmanager
async def _kept_alive(nc: Client, stream: str, config: ConsumerConfig, pull: Pull) -> AsyncIterator[None]:
    """Makes the durable consumer again when somebody deleted it; creating one that is there changes nothing."""

    async def keep() -> None:
        while True:
            await pull.lost.wait()
            pull.lost.clear()
            try:
                await _make(nc, stream, config)
            except (NatsError, APIError) as error:
                log.warning("subscription.waiting", stream=stream, consumer=config.durable_name, error=repr(error))
            await asyncio.sleep(HEARTBEAT_SECONDS)

    keeper = asyncio.create_task(going_on("subscription.keep", keep))
    try:
        yield
    finally:
        keeper.cancel()


async def follow(nc: Client, stream: str, subject: str, *, after: int = 0, batch: int = 1024) -> AsyncIterator[Msg]:
    """Every message on `subject` after stream sequence `after`, in order, each once, for ever.

    A gap, a silence or a lost consumer makes a new one behind the last message that was yielded.
    """
    position = after
    while True:
        end_if_stopping()
        try:
            consumer = await position_consumer(nc, stream, subject, position + 1)
        except (NatsError, APIError) as error:
            log.warning("follow.waiting", stream=stream, error=repr(error))
            await asyncio.sleep(HEARTBEAT_SECONDS)
            continue
        async with Pull(nc, stream, consumer, batch=batch) as pull:
            end_if_stopping()
            expected = 1
            while (message := await _next_or_lost(pull)) is not None:
                sequence = message.metadata.sequence
                if sequence.consumer != expected:
                    break
                expected += 1
                position = sequence.stream
                yield message


async def position_consumer(nc: Client, stream: str, subject: str, start: int) -> str:
    """The name of a new consumer that begins at stream sequence `start` and is forgotten when nobody reads from it."""
    info = await nc.jetstream().add_consumer(
        stream,
        ConsumerConfig(
            filter_subject=subject,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            num_replicas=1,
            inactive_threshold=60.0,
        ),
    )
    return str(info.name)


async def _next_or_lost(pull: Pull) -> Msg | None:
    """The next message, or None when the consumer seems to be gone and nothing of it is left to read."""
    while not pull.waiting():
        if pull.lost.is_set():
            return None
        pull.stirred.clear()
        await pull.stirred.wait()
    return await pull.next()
