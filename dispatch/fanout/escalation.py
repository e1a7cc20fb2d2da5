"""Escalation: after every commit, and when a timer says so, the case is asked what it waits for.

What is due is decided by the case alone (`dispatch.cases.escalation`), so it does not matter who asks, or how often.
"""

from __future__ import annotations

import asyncio

import structlog
from nats.aio.msg import Msg

from dispatch.cases import (
    TIMER,
    Case,
    CaseDesk,
    FallBack,
    LeaveOut,
    Plan,
    TakeStep,
    Wait,
    due_at,
    follows,
    is_to_hand_over,
    step_at,
    waits_for,
)
from dispatch.clock import Clock, now
from dispatch.events import AlarmRaised, CallsRecorded, CaseNoted, FellBack, PressedAgain, Timers, commit_of
from dispatch.fanout.metrics import NEXT_CHANNELS, STEPS
from dispatch.fanout.plan import step_plan
from dispatch.fanout.turns import Place, Rank, Turns
from dispatch.identifiers import CaseId, CommitId, PersonId, household_of, short_hash
from dispatch.roster import Roster, aid_list, left_out_of

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
        commit = commit_of(message)
        if all(isinstance(event, QUIET) for event in commit.events):
            return
        if isinstance(commit.events[0], AlarmRaised):
            await asyncio.sleep(FIRST_RINGS_SECONDS)
            await self._leave_out(await self._desk.known(commit.case, commit.seq))
        async with self._turns.at(_place(commit.case)):
            case = await self._desk.known(commit.case, commit.seq)
            await self._consider(case, recorded=all(isinstance(event, CallsRecorded) for event in commit.events))

    async def due(self, message: Msg) -> None:
        """A timer of a case. Raises `Unavailable` for "later"."""
        case = CaseId(message.subject.rpartition(".")[2])
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
        command = TakeStep(
            id=CommitId(f"step-{position}"),
            at=self._clock(),
            position=position,
            plan=await self._plan(case, position, wait),
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
        asked = {c.responder for c in case.taking_part() if any(reason.role == "asked" for reason in c.reasons)}
        if astray := tuple(sorted(left_out & case.called() - asked)):
            id_ = CommitId(f"left-out-{short_hash(*astray, length=12)}")
            await self._desk.handle(case.id, LeaveOut(id=id_, at=self._clock(), people=astray, by=TIMER))
        return left_out

    async def _plan(self, case: Case, position: int, wait: Wait) -> Plan:
        left_out = await self._leave_out(case)
        targets = step_at(case, position).call
        if wait.because == "duress":  # everybody must know of it
            targets = (*targets, "again")
        if (
            wait.because == "pointless"
        ):  # those called cannot be enough; ringing them once more this second helps nobody
            targets = tuple(target for target in targets if target != "again")
        if not is_to_hand_over(case):
            targets = tuple(target for target in targets if target != "hand_over")
        alarm = case.alarm
        aid, gaps = await aid_list(self._roster, targets, alarm.group, alarm.areas, self._clock(), left_out=left_out)
        people = await self._roster.people(case.called())
        return step_plan(case, targets, aid, gaps, people)


def _place(case: CaseId) -> Place:
    """Behind every press: nobody has been called for that one yet."""
    return Place(Rank.WIDENED, drill=False, area=household_of(case))
