"""A lane: read models that are at about the same place share one reading of the log.

They are written together, in one statement; where that fails each writes for itself, so that none stops the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime

import asyncpg
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from dispatch.errors import Unavailable
from dispatch.events import CaseLog
from dispatch.events.stopping import end_if_stopping
from dispatch.projections import checkpoints
from dispatch.projections.burial import Burials
from dispatch.projections.checkpoints import LogReplaced
from dispatch.projections.copying import tables_of
from dispatch.projections.months import Months
from dispatch.projections.projection import Projection
from dispatch.projections.steps import Step, Steps
from dispatch.projections.storing import Storing
from dispatch.projections.together import Together
from dispatch.projections.writer import Writer, connect

BATCH = 512
NEAR = 10_000
"""Read models further than this behind the first one read by themselves, so that it need not wait for them."""
QUIET_SECONDS = 2.0

AWAY = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    checkpoints.CheckpointMoved,
    NatsError,
    APIError,
    Unavailable,
)
"""What is nobody's fault here: the lane begins again as a whole."""


class Apart(Exception):
    """`projections` cannot go with this lane any more, because of `cause` or because they are far behind."""

    def __init__(self, projections: Sequence[Projection], cause: Exception | None) -> None:
        super().__init__(cause)
        self.projections, self.cause = tuple(projections), cause


class Lane:
    """One reading of the log for `projections`. `moved` is told each position that one of them reached.

    A rebuild gives the `schema` that it builds in, and `until`, the sequence of a commit of this site to stop at.
    """

    def __init__(
        self,
        nc: Client,
        log: CaseLog,
        dsn: str,
        projections: Sequence[Projection],
        *,
        batch: int = BATCH,
        moved: Callable[[Projection, int], None] = lambda _projection, _seq: None,
        schema: str | None = None,
        until: int | None = None,
    ) -> None:
        self._nc, self._log, self._dsn, self._batch, self._moved = nc, log, dsn, batch, moved
        self._projections, self._schema, self._until = projections, schema, until
        self._queue: asyncio.Queue[Step | Exception] = asyncio.Queue(maxsize=2 * batch)

    async def run(self) -> None:
        """Go on from the checkpoints to `until`, or till cancelled. Raises `Apart`, and errors of Postgres and NATS."""
        async with AsyncExitStack() as stack:
            created = await checkpoints.stream_created(self._nc)
            burials = Burials(self._nc, self._log.site, created)
            writers = [await self._writer(projection, created, burials, stack) for projection in self._projections]
            await self._require_near(writers)
            for writer in writers:
                await self._verify(writer)
            first = min(writer.position for writer in writers)
            if self._until is not None and first >= self._until:
                return
            together = await self._together(writers, stack)
            reader = asyncio.create_task(self._read(first, Steps(self._log, burials)))
            stack.callback(reader.cancel)
            await self._write_all(writers, together)

    async def _writer(
        self, projection: Projection, created: datetime, burials: Burials, stack: AsyncExitStack
    ) -> Writer:
        connection = await connect(self._dsn, projection.name, self._schema)
        stack.callback(connection.terminate)
        checkpoint = await checkpoints.begin(connection, self._log.site, projection.name, created)
        months = await Months.of(connection, tables_of(projection))
        storing = await Storing.over(connection, self._log.site, [projection])
        return Writer(projection, storing, checkpoint, burials, months=months)

    async def _require_near(self, writers: Sequence[Writer]) -> None:
        first = max(writer.position for writer in writers)
        far = [writer.projection for writer in writers if first - writer.position > NEAR]
        if far:
            raise Apart(far, None)

    async def _verify(self, writer: Writer) -> None:
        try:
            await checkpoints.verify(self._nc, self._log, writer.checkpoint)
        except LogReplaced as error:
            raise Apart([writer.projection], error) from error

    async def _read(self, after: int, steps: Steps) -> None:
        """Read and fold ahead, while Postgres is busy with what came before."""
        try:
            async for message in self._log.follow(after=after, past=True):
                await self._queue.put(step := await steps.take(message))
                if self._until is not None and step.seq >= self._until:
                    return
        except Exception as error:  # noqa: BLE001 - raised where the steps are written
            await self._queue.put(error)

    async def _write_all(self, writers: Sequence[Writer], together: Together | None) -> None:
        while True:
            end_if_stopping()
            steps = await self._waiting()
            # The first message of a new consumer: the server, or the log, may be another one.
            if not steps or any(step.message.metadata.sequence.consumer == 1 for step in steps):
                for writer in writers:
                    await self._verify(writer)
                    await writer.require_reached(writer.position)
                    self._moved(writer.projection, writer.position)
            if steps:
                await self._write(steps, writers, together)
                if self._until is not None and steps[-1].seq >= self._until:
                    return

    async def _waiting(self) -> list[Step]:
        """What has been read, up to a batch; nothing when nothing came for a while."""
        steps: list[Step] = []
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                steps.append(_raised(await self._queue.get()))
        except TimeoutError:
            return steps
        while len(steps) < self._batch and not self._queue.empty():
            steps.append(_raised(self._queue.get_nowait()))
        return steps

    async def _together(self, writers: Sequence[Writer], stack: AsyncExitStack) -> Together | None:
        if len(writers) == 1 or self._schema is not None:
            return None
        connection = await connect(self._dsn, "together")
        stack.callback(connection.terminate)
        projections = [writer.projection for writer in writers]
        return Together(await Storing.over(connection, self._log.site, projections), writers)

    async def _write(self, steps: Sequence[Step], writers: Sequence[Writer], together: Together | None) -> None:
        if together is not None and await together.write(steps):
            for writer in writers:
                self._moved(writer.projection, writer.position)
            return
        results = await asyncio.gather(*(writer.write(steps) for writer in writers), return_exceptions=True)
        failed: list[tuple[Writer, Exception]] = []
        for writer, error in zip(writers, results, strict=True):
            if error is None:
                self._moved(writer.projection, writer.position)
            elif isinstance(error, AWAY) or not isinstance(error, Exception):
                raise error
            else:
                failed.append((writer, error))
        for writer, error in failed:
            raise Apart([writer.projection], error)


def _raised(item: Step | Exception) -> Step:
    if isinstance(item, Exception):
        raise item
    return item
