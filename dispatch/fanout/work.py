"""Messages of one durable consumer, each handled by a task of its own, so that none waits for another.

A message is acknowledged when its handler returns. While a handler runs, the server is told that it does:
only a worker that was killed loses its messages to another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import cast

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.errors import Refused, Unavailable
from dispatch.events import bury, consume, work_consumer
from dispatch.events.going_on import going_on
from dispatch.fanout.metrics import BURIED, IN_FLIGHT
from dispatch.identifiers import Site

log = structlog.get_logger()

ACK_WAIT = timedelta(seconds=3)
BEAT_SECONDS = 1.0
LEAVE_SECONDS = 3.0
RETRY_SECONDS = 0.5
TRIES = 5
"""How often an error that nobody expected may happen to a message before it is given up."""

LEFT_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""How long it lies, after each time that it was left to others, before one of all workers is asked again."""


class LeftToOthers(Unavailable):
    """Another worker can do it and we cannot: it is given to us again and again for as long as there is no other."""


Handler = Callable[[Msg], Awaitable[None]]
TURNS_TO_CALL = 2
"""Of the event loop: in the first the message is read that says whom to call, in the second they are called."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages, and what to do with one. `name` is that of the durable consumer and of the DLQ's subject.

    The handler raises `Refused` for a message that will never do, `Unavailable` for "later".
    """

    stream: str
    subject: str
    name: str
    handler: Handler
    at_once: int


async def after_first_rings() -> None:
    """Let whoever makes the calls of a commit go first, where all who are to see it get it in the same moment."""
    for _ in range(TURNS_TO_CALL):
        await asyncio.sleep(0)


def consumer_name(job: str, site: Site | str) -> str:
    """The durable consumer of the work `job` of a site."""
    return f"{job}-{site}"


class Work:
    """Does `job` until it is cancelled; then finishes what it has in hand, within three seconds."""

    def __init__(self, nc: Client, site: Site | str, job: Job, *, ack_wait: timedelta = ACK_WAIT) -> None:
        self._nc, self._site, self._job = nc, site, job
        self._consumer = work_consumer(
            consumer_name(job.name, site), job.subject, ack_wait=ack_wait, max_ack_pending=job.at_once
        )
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._messages: dict[int, Msg] = {}
        self._failures: Counter[int] = Counter()
        """Errors that nobody expected, of each message; how often it came counts what else went wrong, too."""

    async def run(self) -> None:
        """Take messages until cancelled."""
        beats = asyncio.create_task(going_on("work.beat", self._beat))
        try:
            stream = cast("AsyncGenerator[Msg]", consume(self._nc, self._job.stream, self._consumer))
            async with aclosing(stream) as messages:
                async for message in messages:
                    self._begin(message)
        finally:
            await self._leave()
            beats.cancel()

    def _begin(self, message: Msg) -> None:
        sequence = message.metadata.sequence.stream
        if sequence in self._tasks:
            return  # delivered again while it is being handled here; what is in hand will answer for both
        task = asyncio.create_task(self._process(message))
        self._tasks[sequence], self._messages[sequence] = task, message
        task.add_done_callback(lambda _: self._end(sequence))
        IN_FLIGHT.labels(self._job.name).set(len(self._tasks))

    def _end(self, sequence: int) -> None:
        del self._tasks[sequence], self._messages[sequence]
        IN_FLIGHT.labels(self._job.name).set(len(self._tasks))

    async def _process(self, message: Msg) -> None:
        try:
            await self._job.handler(message)
            await message.ack()
            self._failures.pop(message.metadata.sequence.stream, None)
        except Refused as error:
            await self._bury(message, error.detail)
        except LeftToOthers as error:
            log.info("work.left", job=self._job.name, subject=message.subject, reason=error.detail)
            tried = message.metadata.num_delivered or 1
            await self._later(message, LEFT_PAUSES_SECONDS[min(tried, len(LEFT_PAUSES_SECONDS)) - 1])
        except Unavailable as error:
            log.warning("work.later", job=self._job.name, subject=message.subject, reason=error.detail)
            await self._later(message, RETRY_SECONDS)
        except asyncio.CancelledError:
            await self._later(message, 0)
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, it must stop no other message)
            await self._failed(message, error)

    async def _failed(self, message: Msg, error: Exception) -> None:
        sequence = message.metadata.sequence.stream
        self._failures[sequence] += 1
        failures = self._failures[sequence]
        log.error("work.failed", job=self._job.name, subject=message.subject, failures=failures, exc_info=error)
        if failures >= TRIES:
            await self._bury(message, f"failed {failures} times, at last with {error!r}")
        else:
            await self._later(message, RETRY_SECONDS * 2**failures)

    async def _bury(self, message: Msg, reason: str) -> None:
        log.error("work.buried", job=self._job.name, subject=message.subject, reason=reason)
        try:
            await bury(self._nc.jetstream(), self._site, self._job.name, message, reason)
            await message.ack()
            self._failures.pop(message.metadata.sequence.stream, None)
            BURIED.labels(self._job.name).inc()
        except (NatsError, TimeoutError):
            log.exception("work.not_buried", job=self._job.name, subject=message.subject)
            await self._later(message, RETRY_SECONDS)

    async def _later(self, message: Msg, seconds: float) -> None:
        with contextlib.suppress(NatsError):  # without a connection the server redelivers by itself
            await message.nak(delay=seconds or None)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            for message in list(self._messages.values()):
                with contextlib.suppress(NatsError):
                    await message.in_progress()

    async def _leave(self) -> None:
        tasks = set(self._tasks.values())
        if tasks:
            log.info("work.leaving", job=self._job.name, in_hand=len(tasks))
            _, late = await asyncio.wait(tasks, timeout=LEAVE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=LEAVE_SECONDS)
