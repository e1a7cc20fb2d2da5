"""The watchdog's own hand: it rings what is owed while the fan-out is away.

It shares the channels and the words of a ring with the fan-out, and nothing of its queues, lanes and workers. When both
ring, the phone has one ring too many, under the same notification id.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Protocol
from uuid import uuid4

import structlog
from nats.aio.client import Client

from dispatch.cases import OUTCOME_RANK, Call, Case, CaseDesk, RecordCalls, still_wanted
from dispatch.clock import Clock, now
from dispatch.errors import DispatchError
from dispatch.events import CallOutcome, Channel
from dispatch.fanout.channels import Sender, Sent
from dispatch.fanout.metrics import RESCUED
from dispatch.fanout.ring import Ring, make_ring, scene_of
from dispatch.fanout.senders import Keys, open_senders
from dispatch.identifiers import CaseId, CommitId, PersonId
from dispatch.roster import ContactPoint, Person, Roster, left_out_of, points_for
from dispatch.settings import Settings

log = structlog.get_logger()

AFTER = timedelta(seconds=15)
"""Longer than a call takes that a fan-out has in hand (`lanes.Limits.budget` and what the record of it needs)."""
AT_ONCE = 64
TRY_SECONDS = 5.0

Key = tuple[CaseId, int, PersonId, Channel]


class Links(Protocol):
    """Makes the signed one-tap link of a responder for a case."""

    def make(self, case: CaseId, responder: PersonId) -> str: ...


class Rescue:
    """Rings for cases that it is given, each ring once at a time. Text messages are the fan-out's alone."""

    def __init__(
        self, desk: CaseDesk, roster: Roster, links: Links, senders: Mapping[Channel, Sender], clock: Clock = now
    ) -> None:
        self._desk, self._roster, self._links, self._senders = desk, roster, links, senders
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[CaseId, asyncio.Task[None]] = {}
        self._rung: set[Key] = set()
        """What was rung from here, once for all: the log may refuse to keep what came of it."""

    def ring(self, cases: Collection[Case]) -> None:
        """Ring what is owed on these since before `AFTER`. Returns at once."""
        for case in cases:
            if case.id not in self._tasks:
                task = self._tasks[case.id] = asyncio.create_task(self._rescue(case))
                task.add_done_callback(partial(self._end, case.id))

    def _end(self, case: CaseId, _task: object) -> None:
        del self._tasks[case]

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _rescue(self, case: Case) -> None:
        try:
            case = await self._desk.load(case.id)
            before = self._clock() - AFTER
            owed = [
                (call, channel)
                for call in case.owed()
                for channel in call.owed()
                if channel in self._senders
                and call.asked_at(channel) < before
                and still_wanted(case, call.responder)
                and (case.id, call.step, call.responder, channel) not in self._rung
            ]
            if not case.is_open or not owed:
                return
            household = await self._roster.household(case.alarm.household)
            owed = [(call, channel) for call, channel in owed if call.responder not in left_out_of(household)]
            people = await self._roster.people({call.responder for call, _ in owed})
            scene = scene_of(case, household, await self._roster.areas(case.alarm.areas))
            log.error("rescue.rings", case=case.id, rings=len(owed))

            async def one(call: Call, channel: Channel) -> CallOutcome:
                self._rung.add((case.id, call.step, call.responder, channel))
                ring = make_ring(case, call, scene, self._links.make(case.id, call.responder))
                async with self._turns:
                    sent = await self._send(self._senders[channel], ring, channel, people.get(call.responder))
                RESCUED.labels(channel, sent.outcome).inc()
                known = call.outcomes.get(channel)
                return CallOutcome(
                    step=call.step,
                    responder=call.responder,
                    channel=channel,
                    outcome=sent.outcome,
                    at=self._clock(),
                    reason=sent.reason,
                    attempt=known.attempt + 1 if known else 1,
                )

            outcomes = await asyncio.gather(*(one(call, channel) for call, channel in owed))
            command = RecordCalls(id=CommitId(f"rescue-{uuid4().hex}"), at=self._clock(), outcomes=tuple(outcomes))
            await self._desk.handle(case.id, command)
        except DispatchError as error:  # the next look tries again
            log.error("rescue.failed", case=case.id, reason=error.detail)

    async def _send(self, sender: Sender, ring: Ring, channel: Channel, person: Person | None) -> Sent:
        """The best over all of the person's contact points: the first that takes it may be an old machine's."""
        points = points_for(person, channel) if channel != "live" else (None,)
        if not points:
            return Sent("failed", "no contact point for this channel any more")
        results = await asyncio.gather(*(self._to(sender, ring, point) for point in points))
        return max(results, key=lambda sent: OUTCOME_RANK[sent.outcome])

    async def _to(self, sender: Sender, ring: Ring, point: ContactPoint | None) -> Sent:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                return await sender.send(ring, point)
        except TimeoutError:
            return Sent("failed", "no answer in time; it may have arrived")
        except Exception as error:  # one ring that cannot be made stops none of the others
            log.exception("rescue.error", responder=ring.responder)
            return Sent("failed", f"an error of ours: {type(error).__name__}")


@asynccontextmanager
async def rescuing(
    nc: Client, *, desk: CaseDesk, roster: Roster, links: Links, keys: Keys, settings: Settings
) -> AsyncIterator[Rescue]:
    """A rescue with channels of its own."""
    async with AsyncExitStack() as stack:
        rescue = Rescue(desk, roster, links, await open_senders(stack, nc, keys, settings))
        stack.push_async_callback(rescue.close)
        yield rescue
