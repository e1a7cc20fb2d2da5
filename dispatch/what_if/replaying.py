"""A recorded case under another policy: the decisions are those of `dispatch.cases`, the people those of the record.

Everybody reacts to being called as they did, as long after it as they did. Who was never called does not answer: how
they would have is not known. What operators and those who pressed did stands at its moment. Nobody is called.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from itertools import count
from typing import Self

from msgspec.structs import replace

from dispatch.cases import (
    Case,
    FallBack,
    GiveAnswer,
    Plan,
    Policy,
    RecordCalls,
    TakeStep,
    Wait,
    decide,
    due_at,
    evolve,
    follows,
    stamp_of,
    waits_for,
)
from dispatch.cases import enough as is_enough
from dispatch.errors import DispatchError
from dispatch.events import (
    CaseCancelled,
    CaseResolved,
    Channel,
    Escalated,
    Event,
    FellBack,
    PlannedCall,
    RespondersCalled,
)
from dispatch.identifiers import CommitId, PersonId
from dispatch.what_if.recorded import Recorded

PlanStep = Callable[[Case, int, Wait, datetime], Awaitable[Plan]]
"""Plans the step of a case that stands at a position of its policy, which is due for a reason at a moment."""

MOST_MOMENTS = 10_000
Deed = Event | GiveAnswer | RecordCalls


class Replay:
    """How a case went: every event in its order, and when it was enough for the first time."""

    def __init__(self) -> None:
        self.case = Case()
        self.events: list[Event] = []
        self.enough_at: datetime | None = None

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """The course that was recorded."""
        course = cls()
        course.happen(*events)
        return course

    def happen(self, *events: Event) -> None:
        for event in events:
            self.case = evolve(self.case, event)
            self.events.append(event)
            if self.enough_at is None and self.case.raised is not None and is_enough(self.case):
                self.enough_at = event.at

    def called(self) -> dict[PersonId, datetime]:
        """When each person was called first."""
        first: dict[PersonId, datetime] = {}
        for event in self.events:
            if isinstance(event, RespondersCalled):
                for call in event.calls:
                    first.setdefault(call.responder, event.at)
        return first

    def steps(self) -> list[Escalated]:
        """The steps that were taken after the first call."""
        return [event for event in self.events if isinstance(event, Escalated)]


async def replay(recorded: Recorded, policy: Policy, plan_step: PlanStep) -> Replay:
    """`recorded` as it would have gone under `policy`, up to when it was over. Raises what `plan_step` raises."""
    return await _Replaying(recorded, policy, plan_step).run()


class _Replaying:
    def __init__(self, recorded: Recorded, policy: Policy, plan_step: PlanStep) -> None:
        self._recorded, self._policy, self._plan_step = recorded, policy, plan_step
        self._replay = Replay()
        self._order = count()
        self._ahead: list[tuple[datetime, int, Deed]] = []
        self._reacted: set[PersonId] = set()
        self._rang: set[tuple[PersonId, Channel]] = set()

    async def run(self) -> Replay:
        self._open()
        for deed in self._recorded.deeds:
            self._later(deed.at, deed)
        for _ in range(MOST_MOMENTS):
            moment = self._next_moment()
            if moment is None or moment > self._recorded.until or not self._replay.case.is_open:
                break
            await self._at(moment)
        return self._replay

    def _open(self) -> None:
        raised, *rest = self._recorded.opening
        rearranged = (_rearranged(event, self._policy.at_once) for event in rest)
        self._happen(raised, stamp_of(self._policy, raised.at), *rearranged)

    def _next_moment(self) -> datetime | None:
        moments = [self._ahead[0][0]] if self._ahead else []
        due = due_at(self._replay.case)
        # A step that is due may have become so before what has just happened.
        return min([*moments, due], default=None) if due is not None else min(moments, default=None)

    async def _at(self, moment: datetime) -> None:
        if self._ahead and self._ahead[0][0] <= moment:
            self._do(heapq.heappop(self._ahead)[2])
            return
        at = max(moment, self._replay.events[-1].at)
        if any(one.at <= at for one in follows(self._replay.case)):
            self._happen(*decide(self._replay.case, FallBack(id=self._id(), at=at)))
            return
        wait = waits_for(self._replay.case)
        if wait is None:
            return
        position = self._replay.case.position + 1
        plan = await self._plan_step(self._replay.case, position, wait, at)
        step = TakeStep(id=self._id(), at=at, position=position, plan=plan, because=wait.because)
        self._happen(*decide(self._replay.case, step))

    def _do(self, deed: Deed) -> None:
        case = self._replay.case
        if isinstance(deed, GiveAnswer | RecordCalls):
            try:
                self._happen(*decide(case, deed))
            except DispatchError:
                return  # it is over, or they are left out: nobody asks them any more
        elif isinstance(deed, RespondersCalled):
            self._happen(replace(deed, step=case.last_step + 1))
        else:
            self._happen(deed)

    def _happen(self, *events: Event) -> None:
        self._replay.happen(*events)
        for event in events:
            if isinstance(event, RespondersCalled):
                for call in event.calls:
                    self._react(call.responder, event.at)
                    for channel in call.channels:
                        self._deliver(event.step, call.responder, channel, event.at)
            elif isinstance(event, FellBack):
                for following in event.calls:
                    self._deliver(following.step, following.responder, following.channel, event.at)
            elif isinstance(event, CaseResolved | CaseCancelled):
                self._ahead.clear()

    def _react(self, person: PersonId, at: datetime) -> None:
        if person in self._reacted:
            return
        self._reacted.add(person)
        for known in self._recorded.reactions.get(person, ()):
            when = at + known.after
            answer = GiveAnswer(
                id=self._id(), at=when, responder=person, answer=known.answer, via="page", eta_minutes=known.eta_minutes
            )
            self._later(when, answer)

    def _deliver(self, step: int, person: PersonId, channel: Channel, at: datetime) -> None:
        if (person, channel) in self._rang:
            return
        self._rang.add((person, channel))
        for known in self._recorded.deliveries.get((person, channel), ()):
            when = at + max(known.after, timedelta())
            outcome = replace(known.outcome, step=step, at=when)
            self._later(when, RecordCalls(id=self._id(), at=when, outcomes=(outcome,)))

    def _later(self, at: datetime, deed: Deed) -> None:
        heapq.heappush(self._ahead, (at, next(self._order), deed))

    def _id(self) -> CommitId:
        return CommitId(f"what-if-{next(self._order)}")


def _rearranged(event: Event, at_once: int) -> Event:
    """The first call with as many channels at once as the policy has it."""
    if not isinstance(event, RespondersCalled):
        return event
    return replace(event, calls=tuple(_with_at_once(call, at_once) for call in event.calls))


def _with_at_once(call: PlannedCall, at_once: int) -> PlannedCall:
    page = tuple(channel for channel in call.channels if channel == "live")
    others = tuple(channel for channel in (*call.channels, *call.then) if channel != "live")
    return replace(call, channels=(*page, *others[:at_once]), then=others[at_once:])
