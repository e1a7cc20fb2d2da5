"""The watchdog's own hand: it rings what is owed while the fan-out is away.

It shares the channels, their limits and the words of a ring with the fan-out, and nothing of its lanes, queues and
workers. When both ring, the phone has one ring too many, under the same notification id.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import msgspec
import structlog

from dispatch.cases import Case, CaseDesk, RecordCalls
from dispatch.clock import Clock, now
from dispatch.errors import DispatchError, Unavailable
from dispatch.events import CallOutcome, Channel
from dispatch.fanout.calls import Links, Owed, RingKey, Rings, place_of, rings_of
from dispatch.fanout.channels import Sent
from dispatch.fanout.channels.sender import failed
from dispatch.fanout.metrics import RESCUED
from dispatch.fanout.own_channels import OwnChannels
from dispatch.fanout.reasons import MADE_ELSEWHERE, why_not
from dispatch.fanout.ring import scene_of
from dispatch.identifiers import CaseId, CommitId
from dispatch.roster import Person, Roster, left_out_of

log = structlog.get_logger()

AFTER = timedelta(seconds=15)
"""Longer than a call takes that a fan-out has in hand (`lanes.Limits.budget` and what the record of it needs)."""
HANGS = timedelta(seconds=60)
"""How long a ring may be owed, whatever the fan-out answers to pings, before it is made from here.

No shorter, for one that is well may take as long: a text 42 s (a try of `sms.texting.TRY_SECONDS` begun at the end of
its `budget`, and the record), a messenger's ring about 50 s where its worker was killed once; and two texts are two on
the phone. Meanwhile it stands on the desk as owed after 5 s, and the standard policy rings the next channel after 15.
"""
PATIENT_LOOKS = 8
"""How many looks of the watchdog, a second each, a fan-out that is asked for a text may let pass with none going out.

One that is well needs less: its SMSC has five seconds to take a text (`sms.session.ANSWER_SECONDS`), and the record of
it takes two and a half at most (`recorder.LONGEST_BATCH_SECONDS`). A look that fails does not count: the log is as
slow for it.
"""
ELSEWHERE = failed(MADE_ELSEWHERE)
FROM_HERE = "rescue-"


def has_waited(asked: datetime, at: datetime) -> bool:
    """Whether a ring that was asked for then would have been made by `at`, were it in hand and waited in no queue."""
    return asked < at - AFTER


def is_from_here(commit: CommitId) -> bool:
    """Whether it is the record of rings that were made here."""
    return commit.startswith(FROM_HERE)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What of the calls that are owed the fan-out leaves to others.

    What was asked for after `gone_since`, when it had gone, and all the rest when that would be done. Where it is
    there, what commits behind the stream sequence `untaken` ask for; and whatever has been owed for very long, unless
    it goes over a channel that is `queueing`. `texts` is how many it has handed over while it was watched.
    """

    gone_since: datetime | None = None
    untaken: int | None = None
    queueing: frozenset[Channel] = frozenset()
    texts: int = 0

    @property
    def stands_in(self) -> bool:
        """Whether the fan-out is away, or takes nothing in hand."""
        return self.gone_since is not None or self.untaken is not None

    def before(self, at: datetime) -> datetime:
        """When a ring must have been asked for to be left to others at `at`; a bound that costs nothing to try."""
        return at if self.stands_in else at - HANGS

    def has(self, one: Owed, at: datetime, *, taken: bool) -> bool:
        """Whether the ring is to be made at `at`; `taken`: the fan-out has, or had, the commit that asks for it."""
        asked = one.call.asked_at(one.channel)
        if self.gone_since is not None:
            return has_waited(asked, at) or asked > self.gone_since
        return (not taken and has_waited(asked, at)) or (asked < at - HANGS and one.channel not in self.queueing)


class Rescue:
    """Rings for cases that it is given. A channel that is not set up here is left to the fan-out."""

    def __init__(
        self,
        desk: CaseDesk,
        roster: Roster,
        links: Links,
        channels: OwnChannels,
        texts_again: Callable[[int], Awaitable[None]],
        *,
        clock: Clock = now,
    ) -> None:
        """`texts_again` has the fan-out send what is owed of the texts that the commit at a sequence asks for."""
        self._desk, self._roster, self._links, self._channels = desk, roster, links, channels
        self._texts_again, self._clock = texts_again, clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: dict[asyncio.Future[None], int] = {}
        """What the fan-out is asked for, and at how many looks since, or since any text of its, none had gone out."""
        self._texts = 0
        self._looking: set[CaseId] = set()
        self._ours: defaultdict[CaseId, dict[RingKey, CallOutcome | None]] = defaultdict(dict)
        """The rings that are made here, until they are on the log: with what came of them, once that is known."""
        self._recording: WeakValueDictionary[CaseId, asyncio.Lock] = WeakValueDictionary()

    @property
    def is_busy(self) -> bool:
        """Whether rings are under way."""
        return bool(self._tasks)

    def ring(self, cases: Collection[Case], left: Left) -> None:
        """Ring what these owe and is `left` to us. Returns at once.

        What cannot be looked up or recorded now stays owed, and is tried again when the case is given again.
        """
        self._ask_no_longer_in_vain(left)
        for case in cases:
            if case.id not in self._looking and (self._made(case.id) or self._owed(case, left, untaken=None)):
                self._looking.add(case.id)
                task = asyncio.create_task(self._rescue(case.id, left))
                self._tasks.add(task)
                task.add_done_callback(partial(self._end, case.id))

    def _ask_no_longer_in_vain(self, left: Left) -> None:
        """Where no text goes out, what was asked for waits in no queue; and who has gone answers nothing."""
        move, self._texts = left.texts > self._texts, left.texts
        for asked in self._asked:
            self._asked[asked] = 0 if move else self._asked[asked] + 1
            if left.gone_since is not None or self._asked[asked] > PATIENT_LOOKS:
                asked.cancel()

    def _end(self, case: CaseId, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("rescue.failed", case=case, exc_info=error)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _rescue(self, case_id: CaseId, left: Left) -> None:
        try:
            await self._record(case_id)
            pending = await self._begin(case_id, left)
        except DispatchError as error:  # the next look tries again
            log.error("rescue.failed", case=case_id, reason=error.detail)
            return
        finally:
            self._looking.discard(case_id)
        await self._record_as_they_come(case_id, pending)

    async def _begin(self, case_id: CaseId, left: Left) -> set[asyncio.Task[None]]:
        """Begin the rings of the case that are left to us, but for those that are under way."""
        case = await self._desk.load(case_id)
        untaken = await self._asked_after(left.untaken, case_id) if left.untaken is not None else set[RingKey]()
        owed = self._owed(case, left, untaken)
        if not owed:
            return set()
        household = await self._roster.household(case.alarm.household)
        left_out = left_out_of(household) - case.asked_by_name()
        owed = [one for one in owed if one.call.responder not in left_out]
        people = await self._roster.people({one.call.responder for one in owed})
        scene = scene_of(case, household, await self._roster.areas(case.alarm.areas))
        log.error("rescue.rings", case=case_id, rings=len(owed))
        rings = Rings(case, scene, self._links)
        texts = [one for one in owed if left.gone_since is None and one.channel == "sms"]
        asked = await self._asked_by(case_id, set(map(_key, texts)))
        self._ours[case_id].update(dict.fromkeys(map(_key, owed)))

        def ring(one: Owed) -> Coroutine[Any, Any, None]:
            return self._ring(case, one, rings, people.get(one.call.responder))

        # A replica that is behind may not have who asks for a text; it is then sent from here.
        askable = {key for keys in asked.values() for key in keys}
        tasks = [ring(one) for one in owed if one not in texts or _key(one) not in askable]
        for seq, keys in asked.items():
            tasks.append(self._ask(case_id, seq, [one for one in texts if _key(one) in keys], ring))
        return {asyncio.create_task(task) for task in tasks}

    async def _asked_by(self, case: CaseId, keys: set[RingKey]) -> dict[int, set[RingKey]]:
        """Which of these rings the commits ask for, by their sequences."""
        found: dict[int, set[RingKey]] = {}
        for commit in await self._desk.log.load(case) if keys else ():
            if asked := rings_of(commit) & keys:
                found[commit.seq] = asked
                keys -= asked
        return found

    async def _ask(
        self, case: CaseId, seq: int, texts: Collection[Owed], ring: Callable[[Owed], Coroutine[Any, Any, None]]
    ) -> None:
        """Have the fan-out, which is there, send the texts over the session that it has: there may be no other."""
        asked = asyncio.ensure_future(self._texts_again(seq))
        self._asked[asked] = 0
        try:
            await asyncio.wait({asked})
        finally:
            del self._asked[asked]
            asked.cancel()
        if asked.cancelled() or asked.exception() is not None:
            log.error("rescue.asked_in_vain", case=case, reason="silence" if asked.cancelled() else asked.exception())
            await asyncio.gather(*map(ring, texts))
            return
        for one in texts:
            self._forget(case, _key(one))

    async def _asked_after(self, seq: int, case: CaseId) -> set[RingKey]:
        return {key for commit in await self._desk.log.load(case, after=seq) for key in rings_of(commit)}

    def _owed(self, case: Case, left: Left, untaken: Collection[RingKey] | None) -> list[Owed]:
        """What of it is left to us and not under way; `untaken` None: as far as can be said without asking the log."""
        at, ours = self._clock(), self._ours.get(case.id, {})
        owed = (Owed(call, channel) for call in case.owed() for channel in call.owed() if channel in self._channels)
        return [
            one
            for one in owed
            if _key(one) not in ours
            and left.has(one, at, taken=left.untaken is None if untaken is None else _key(one) not in untaken)
        ]

    def _made(self, case: CaseId) -> dict[RingKey, CallOutcome]:
        return {key: outcome for key, outcome in self._ours.get(case, {}).items() if outcome is not None}

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
        async with self._recording.setdefault(case, asyncio.Lock()):
            if not (made := self._made(case)):
                return
            id_ = CommitId(f"{FROM_HERE}{uuid4().hex}")
            try:
                await self._desk.handle(case, RecordCalls(id=id_, at=self._clock(), outcomes=tuple(made.values())))
            except DispatchError as error:
                log.error("rescue.not_recorded", case=case, reason=error.detail)
                return
            for key in made:
                self._forget(case, key)

    def _forget(self, case: CaseId, key: RingKey) -> None:
        del self._ours[case][key]
        if not self._ours[case]:
            del self._ours[case]

    async def _ring(self, case: Case, one: Owed, rings: Rings, person: Person | None) -> None:
        try:
            unless = partial(self._why_not, case.id, one)
            place = place_of(case, one.call)
            sent = await self._channels.send(rings.of(one.call), one.channel, person, place, unless=unless)
        except Exception as error:  # one ring that cannot be made stops none of the others
            log.exception("rescue.error", responder=one.call.responder, channel=one.channel)
            sent = failed(f"an error of ours: {type(error).__name__}")
        if sent is ELSEWHERE:
            self._forget(case.id, _key(one))
        else:
            RESCUED.labels(one.channel, sent.outcome).inc()
            self._ours[case.id][_key(one)] = one.came_to(sent.outcome, self._clock, sent.reason)

    async def _why_not(self, case_id: CaseId, one: Owed) -> Sent | None:
        """Why the ring is not to be made any more. Where the log cannot be read, it is made."""
        try:
            case = await self._desk.load(case_id)
        except Unavailable:
            return None
        call = case.calls[one.call.step, one.call.responder]
        if one.channel not in call.owed():
            return ELSEWHERE
        reason = why_not(case, call)
        return failed(reason) if reason is not None else None


def _key(one: Owed) -> RingKey:
    return one.call.step, one.call.responder, one.channel
