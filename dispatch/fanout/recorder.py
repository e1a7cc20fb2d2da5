"""Outcomes onto the log: all at once when all are there, the finished ones every now and then while some are not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar
from uuid import uuid4

import structlog

from dispatch.cases import Case, CaseDesk, RecordCalls
from dispatch.clock import Clock, now
from dispatch.errors import Unavailable
from dispatch.events import CallOutcome
from dispatch.events.stopping import stopping
from dispatch.identifiers import CaseId, CommitId

log = structlog.get_logger()

BATCH_SECONDS = 0.15
"""How long a finished call waits for others before its outcome is recorded, while few cases are in hand."""
CASES_A_SECOND = 150
"""In a storm it waits longer, so that so many cases a second are recorded at most: first rings need the time."""
LONGEST_BATCH_SECONDS = 2.5
"""The watchdog takes a call of which nothing is known for five for one that is owed."""
LONGEST_PAUSE_SECONDS = 2.0

Result = TypeVar("Result")


async def insist(do: Callable[[], Awaitable[Result]]) -> Result:
    """`do` until the servers it needs are there, for ever: what is known of a call must not be lost."""
    for attempt in itertools.count():
        try:
            return await do()
        except Unavailable as error:
            if stopping():
                raise
            log.warning("fanout.waiting", reason=error.detail, attempt=attempt)
            await asyncio.sleep(min(0.1 * 2**attempt, LONGEST_PAUSE_SECONDS))
    raise AssertionError("count() never ends")


class Recorder:
    """Records what came of the calls of one case."""

    in_hand = 0
    """How many cases are being recorded as their calls finish, in this process."""

    def __init__(self, desk: CaseDesk, case: CaseId, clock: Clock = now) -> None:
        self._desk, self._case, self._clock = desk, case, clock

    async def record(self, outcomes: Sequence[CallOutcome]) -> Case:
        """Append `outcomes` as one commit, however long that takes; the case afterwards."""
        command = RecordCalls(id=CommitId(f"calls-{uuid4().hex}"), at=self._clock(), outcomes=tuple(outcomes))
        return (await insist(lambda: self._desk.handle(self._case, command))).case

    async def record_as_they_come(self, calls: Iterable[Awaitable[CallOutcome]]) -> list[CallOutcome]:
        """Make all `calls` at once and record each; one that takes long delays the record of no other."""
        outcomes: list[CallOutcome] = []
        pending = {asyncio.ensure_future(call) for call in calls}
        Recorder.in_hand += 1
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if pending:
                    more, pending = await asyncio.wait(pending, timeout=_batch_seconds())
                    done |= more
                came = [task.result() for task in done]
                await self.record(came)
                outcomes += came
        finally:
            Recorder.in_hand -= 1
            for task in pending:
                task.cancel()
        return outcomes


def _batch_seconds() -> float:
    return min(max(BATCH_SECONDS, Recorder.in_hand / CASES_A_SECOND), LONGEST_BATCH_SECONDS)
