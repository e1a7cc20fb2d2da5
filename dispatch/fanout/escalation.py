"""Escalation: after every commit, and when a timer says so, the case is asked what it waits for.

What is due is decided by the case alone (`dispatch.cases.escalation`), so it does not matter who asks, or how often.
"""

from __future__ import annotations

import asyncio

import structlog
from msgspec.structs import replace
from nats.aio.msg import Msg

from dispatch.cases import (
    TIMER,
    Case,
    CaseDesk,
    FallBack,
    LeaveOut,
    Plan,
    Policy,
    TakeStep,
    Wait,
    due_at,
    follows,
    waits_for,
)
from dispatch.clock import Clock, now
from dispatch.events import AlarmRaised, CallsRecorded, CaseNoted, FellBack, PressedAgain, Timers, commit_of
from dispatch.fanout.metrics import NEXT_CHANNELS, STEPS
from dispatch.fanout.plan import due_step, policy_of, targets_of
from dispatch.fanout.turns import Place, Rank, Turns
from dispatch.fanout.work import after_first_rings
from dispatch.identifiers import CaseId, CommitId, PersonId, household_of, short_hash
from dispatch.roster import Roster, left_out_of

log = structlog.get_logger()

QUIET = (CaseNoted, PressedAgain)
"""After these alone a case waits for what it waited for."""
FIRST_RINGS_SECONDS = 0.25
"""The first rings of a case go before its timer is set."""


class Escalation:
    """Takes the steps that are due, and sets the timer for the next."""

    def __init__(self, desk: CaseDesk, *, roster: Roster, timers: Timers, turns: Turns, clock: Clock = now) -> None:
        self._desk, self._roster, self._timers, self._turns, self._clock = desk, roster, timers, turns, clock

    async def seen(self, message: Msg) -> None:
        """A commit of the log. Raises `Unreadable` when it is none, `Unavailable` for "later"."""
        await after_first_rings()
        commit = commit_of(message)
        if all(isinstance(event, QUIET) for event in commit.events):
            return
        if isinstance(commit.events[0], AlarmRaised | PressedAgain):
            await asyncio.sleep(FIRST_RINGS_SECONDS)
            await self._leave_out(await self._desk.known(commit.case, commit.seq))
        async with self._turns.at(_place(commit.case)):
            case = await self._desk.known(commit.case, commit.seq)
            await self._consider(case, recorded=all(isinstance(event, CallsRecorded) for event in commit.events))

    async def due(self, message: Msg) -> None:
        """A timer of a case. Raises `Unavailable` for "later"."""
        await self.look(CaseId(message.subject.rpartition(".")[2]))

    async def look(self, case: CaseId) -> None:
        """Do what is due on `case`, if anything is. Raises `Unavailable`."""
        async with self._turns.at(_place(case)):
            await self._consider(await self._desk.load(case))

    async def _consider(self, case: Case, *, recorded: bool = False) -> None:
        at = self._clock()
        following = follows(case)
        if any(one.at <= at for one in following):
            case = await self._fall_back(case)
            recorded = False
        wait = waits_for(case)
        if wait is not None and wait.until is not None and wait.until <= self._clock():
            await self._take(case, wait)
            return
        # What came of calls can end a wait, but does not make it longer; where it failed, our clocks may differ.
        if recorded and all(one.because != "failed" for one in following):
            return
        if (due := due_at(case)) is not None:
            await self._timers.set(case.id, due)

    async def _fall_back(self, case: Case) -> Case:
        command = FallBack(id=CommitId(f"fallback-{case.seq}"), at=self._clock())
        handled = await self._desk.handle(case.id, command)
        for event in handled.events:
            if isinstance(event, FellBack):
                log.warning("escalation.next_channels", case=case.id, rings=len(event.calls))
                for following in event.calls:
                    NEXT_CHANNELS.labels(following.because).inc()
        return handled.case

    async def _take(self, case: Case, wait: Wait) -> None:
        position = case.position + 1
        policy = await self._real_policy(case, wait)
        command = TakeStep(
            id=CommitId(f"step-{position}"),
            at=self._clock(),
            position=position,
            plan=replace(await self._plan(case, position, wait, policy), policy=policy),
            because=wait.because,
        )
        handled = await self._desk.handle(case.id, command)
        if handled.events:
            STEPS.labels(wait.because).inc()
            log.warning(
                "escalation.step", case=case.id, position=position, because=wait.because, called=len(command.plan.calls)
            )

    async def _leave_out(self, case: Case) -> frozenset[PersonId]:
        """Everybody whom the roster leaves out for this household.

        Who was called even so, because they were left out while their call was planned, has no part in it from here
        on; but for those whom an operator asked for by name.
        """
        left_out = left_out_of(await self._roster.household(case.alarm.household))
        if astray := tuple(sorted(left_out & case.called() - case.asked_by_name())):
            id_ = CommitId(f"left-out-{short_hash(*astray, length=12)}")
            await self._desk.handle(case.id, LeaveOut(id=id_, at=self._clock(), people=astray, by=TIMER))
        return left_out

    async def _real_policy(self, case: Case, wait: Wait) -> Policy | None:
        """What a drill's case keeps to once it is real, for its own was for the drill's people; None for others."""
        if wait.because != "duress" or not case.alarm.drill:
            return None
        known = await self._roster.areas(case.alarm.areas)
        return policy_of([known[area] for area in case.alarm.areas if area in known], case.kind)

    async def _plan(self, case: Case, position: int, wait: Wait, policy: Policy | None) -> Plan:
        left_out = await self._leave_out(case)
        targets = targets_of(case, position, wait.because, instead_of_drill=policy)
        return await due_step(self._roster, case, targets, self._clock(), left_out)


def _place(case: CaseId) -> Place:
    """Behind every press: nobody has been called for that one yet."""
    return Place(Rank.WIDENED, drill=False, area=household_of(case))
