"""The watchdog's own hand: it rings what is owed while the fan-out is away.

It shares the channels, their limits and the words of a ring with the fan-out, and nothing of its lanes, queues and
workers. When both ring, the phone has one ring too many, under the same notification id.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import structlog

from dispatch.cases import OUTCOME_RANK, Case, CaseDesk, RecordCalls
from dispatch.clock import Clock, now
from dispatch.errors import DispatchError, Unavailable
from dispatch.events import CallOutcome, Channel
from dispatch.fanout.calls import Links, Owed, RingKey, Rings
from dispatch.fanout.channels import HasProviders, Sender, Sent
from dispatch.fanout.channels.sender import failed
from dispatch.fanout.lanes import LATE, LIMITS, PAUSES_SECONDS, Limits
from dispatch.fanout.metrics import RESCUED
from dispatch.fanout.reasons import why_not
from dispatch.fanout.ring import Ring, scene_of
from dispatch.identifiers import CaseId, CommitId
from dispatch.roster import ContactPoint, Person, Roster, left_out_of, points_for

log = structlog.get_logger()

AFTER = timedelta(seconds=15)
"""Longer than a call takes that a fan-out has in hand (`lanes.Limits.budget` and what the record of it needs)."""
AT_ONCE = 256
"""Over one channel; with one of its providers half as many, so that one that hangs leaves turns to the others."""
MADE_ELSEWHERE = Sent("failed", "the fan-out made this ring meanwhile")


class Rescue:
    """Rings for cases that it is given. A channel that is not set up here is left to the fan-out."""

    def __init__(
        self,
        desk: CaseDesk,
        roster: Roster,
        links: Links,
        senders: Mapping[Channel, Sender],
        *,
        limits: Mapping[Channel, Limits] = LIMITS,
        clock: Clock = now,
    ) -> None:
        self._desk, self._roster, self._links, self._senders = desk, roster, links, senders
        self._clock = clock
        self._limits = {channel: limits.get(channel, Limits()) for channel in senders}
        self._turns = {channel: Turns(min(AT_ONCE, limit.at_once)) for channel, limit in self._limits.items()}
        self._tasks: dict[CaseId, asyncio.Task[None]] = {}
        self._made: defaultdict[CaseId, dict[RingKey, CallOutcome]] = defaultdict(dict)
        """What was rung from here and is not on the log yet: it is recorded as soon as that can be, and not rung."""

    @property
    def is_busy(self) -> bool:
        """Whether rings are under way."""
        return bool(self._tasks)

    def ring(self, cases: Collection[Case], gone_since: datetime | None = None) -> None:
        """Ring what is owed on these since before `AFTER`, or was asked for when the fan-out had gone. Returns at once.

        What cannot be looked up or recorded now stays owed, and is tried again when the case is given again.
        """
        for case in sorted(cases, key=lambda case: case.alarm.drill):
            if case.id not in self._tasks:
                task = self._tasks[case.id] = asyncio.create_task(self._rescue(case.id, gone_since))
                task.add_done_callback(partial(self._end, case.id))

    def _end(self, case: CaseId, task: asyncio.Task[None]) -> None:
        del self._tasks[case]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("rescue.failed", case=case, exc_info=error)

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _rescue(self, case_id: CaseId, gone_since: datetime | None) -> None:
        try:
            await self._record(case_id)
            case = await self._desk.load(case_id)
            owed = self._owed(case, gone_since)
            if not owed:
                return
            household = await self._roster.household(case.alarm.household)
            left_out = left_out_of(household) - case.asked_by_name()
            owed = [one for one in owed if one.call.responder not in left_out]
            people = await self._roster.people({one.call.responder for one in owed})
            scene = scene_of(case, household, await self._roster.areas(case.alarm.areas))
        except DispatchError as error:  # the next look tries again
            log.error("rescue.failed", case=case_id, reason=error.detail)
            return
        log.error("rescue.rings", case=case_id, rings=len(owed))
        rings = Rings(case, scene, self._links)
        await self._record_as_they_come(
            case_id, {asyncio.create_task(self._ring(case, one, rings, people.get(one.call.responder))) for one in owed}
        )

    def _owed(self, case: Case, gone_since: datetime | None) -> list[Owed]:
        before, made = self._clock() - AFTER, self._made.get(case.id, {})
        return [
            Owed(call, channel)
            for call in case.owed()
            for channel in call.owed()
            if channel in self._senders
            and (call.asked_at(channel) < before or (gone_since is not None and call.asked_at(channel) > gone_since))
            and (call.step, call.responder, channel) not in made
        ]

    async def _record_as_they_come(self, case: CaseId, pending: set[asyncio.Task[None]]) -> None:
        try:
            while pending:
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                await self._record(case)
        finally:
            for task in pending:
                task.cancel()

    async def _record(self, case: CaseId) -> None:
        """Put on the log what came of rings; what it does not take now is kept for the next time."""
        made = dict(self._made.get(case, {}))
        if not made:
            return
        id_ = CommitId(f"rescue-{uuid4().hex}")
        try:
            await self._desk.handle(case, RecordCalls(id=id_, at=self._clock(), outcomes=tuple(made.values())))
        except DispatchError as error:
            log.error("rescue.not_recorded", case=case, reason=error.detail)
            return
        for key in made:
            del self._made[case][key]
        if not self._made[case]:
            del self._made[case]

    async def _ring(self, case: Case, one: Owed, rings: Rings, person: Person | None) -> None:
        try:
            sent = await self._send(case.id, one, rings.of(one.call), person)
        except Exception as error:  # one ring that cannot be made stops none of the others
            log.exception("rescue.error", responder=one.call.responder, channel=one.channel)
            sent = failed(f"an error of ours: {type(error).__name__}")
        if sent is not MADE_ELSEWHERE:
            RESCUED.labels(one.channel, sent.outcome).inc()
            key = (one.call.step, one.call.responder, one.channel)
            self._made[case.id][key] = one.came_to(sent.outcome, self._clock, sent.reason)

    async def _send(self, case: CaseId, one: Owed, ring: Ring, person: Person | None) -> Sent:
        """The best over all of the person's contact points: the first that takes it may be an old machine's."""
        points = points_for(person, one.channel) if one.channel != "live" else (None,)
        if not points:
            return failed("no contact point for this channel any more")
        results = await asyncio.gather(*(self._to(case, one, ring, point) for point in points))
        return max(results, key=lambda sent: OUTCOME_RANK[sent.outcome])

    async def _to(self, case: CaseId, one: Owed, ring: Ring, point: ContactPoint | None) -> Sent:
        """What came of it, tried again as the fan-out does: until it is final, or the channel's time is used up."""
        sender, limits, loop = self._senders[one.channel], self._limits[one.channel], asyncio.get_running_loop()
        provider = sender.provider(point) if isinstance(sender, HasProviders) else one.channel
        end, sent = None, LATE
        for pause in (*PAUSES_SECONDS, PAUSES_SECONDS[-1]):
            async with self._turns[one.channel].of(provider):
                if (over := await self._why_not(case, one)) is not None:
                    return over
                end = end or loop.time() + limits.budget
                try:
                    async with asyncio.timeout(limits.seconds):
                        sent = await sender.send(ring, point)
                except TimeoutError:
                    sent = LATE
            wait = pause if sent.later is None else max(pause, sent.later)
            if sent.later is None or loop.time() + wait > end:
                break
            await asyncio.sleep(wait)
        return sent

    async def _why_not(self, case_id: CaseId, one: Owed) -> Sent | None:
        """Why the ring is not to be made any more. Where the log cannot be read, it is made."""
        try:
            case = await self._desk.load(case_id)
        except Unavailable:
            return None
        call = case.calls[one.call.step, one.call.responder]
        if one.channel not in call.owed():
            return MADE_ELSEWHERE
        reason = why_not(case, call)
        return failed(reason) if reason is not None else None


class Turns:
    """At most so many at once over one channel, and half as many with one provider."""

    def __init__(self, at_once: int) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._each: defaultdict[str, asyncio.Semaphore]
        self._each = defaultdict(lambda: asyncio.Semaphore(max(1, at_once // 2)))

    @asynccontextmanager
    async def of(self, provider: str) -> AsyncIterator[None]:
        """A turn with `provider`, waited for; who waits for one that hangs holds back nobody else's."""
        async with self._each[provider], self._all:
            yield
