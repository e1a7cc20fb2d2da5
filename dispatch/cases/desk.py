"""Load, decide, append: the one way in which a case is changed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Self

import msgspec
from msgspec.structs import replace

from dispatch.cases.case import Case
from dispatch.cases.commands import Cancel, Command, LeaveOut, Plan, RaiseAlarm
from dispatch.cases.decisions import REPEAT_WINDOW, decide, is_news, is_overtaken, is_repeat, was_passed_over
from dispatch.cases.evolving import fold
from dispatch.errors import Conflict, Refused, Unavailable
from dispatch.events import CaseLog, Event, Head, Press, Stale
from dispatch.identifiers import CaseId, CommitId, HouseholdId, PressId, case_id_for, household_of, is_past

REMEMBERED_CASES = 4096
TRIES = 20
LINKS_LIVE = timedelta(days=30)
"""No longer than that a case is of use to somebody who was called for it and is left out now."""
REAL_ALARM = "演练中发生真实报警 / a real alarm came during the drill"


class Handled(msgspec.Struct, frozen=True):
    """The case after a command, and what the command made happen (nothing, when it had been carried out before)."""

    case: Case
    events: tuple[Event, ...]


class _Planning:
    """The plan for a press, made while the log is still asked whether the press needs one."""

    def __init__(self, make: Callable[[], Awaitable[Plan]]) -> None:
        self._make = make
        self._task: asyncio.Future[Plan] | None = None

    def begin(self) -> asyncio.Future[Plan]:
        if self._task is None:
            self._task = asyncio.ensure_future(self._make())
        return self._task

    def forget(self) -> None:
        """What is begun next is made anew: time has passed."""
        if self._task is not None and not self._task.cancel() and not self._task.cancelled():
            self._task.exception()  # who did not need the plan need not know what was wrong with it
        self._task = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()


class CaseDesk:
    """Carries commands out on cases of one site.

    Cases it has seen lately are remembered, so that most commands need no load; one that was
    changed by another process meanwhile is caught by the log, caught up and decided again.
    """

    def __init__(self, log: CaseLog) -> None:
        self.log = log
        self._remembered: OrderedDict[CaseId, Case] = OrderedDict()
        self._latest: dict[HouseholdId, CaseId] = {}
        """The case of each household that was remembered last."""

    async def load(self, case_id: CaseId) -> Case:
        """The case as the log has it now; `Case()` when there is none."""
        known = self._remembered.get(case_id, Case())
        return self._remember(case_id, fold(await self.log.load(case_id, after=known.seq), known))

    async def known(self, case_id: CaseId, at_least: int) -> Case:
        """The case with everything up to sequence `at_least`: from memory where that has it, else from the log."""
        remembered = self._remembered.get(case_id)
        return remembered if remembered is not None and remembered.seq >= at_least else await self.load(case_id)

    def remembered(self, case_id: CaseId) -> Case | None:
        """The case as this process knows it, at no cost; another may know more."""
        return self._remembered.get(case_id)

    def knows_open(self, household: HouseholdId) -> bool:
        """Whether this process knows of an open case of `household`, at no cost; another may know more."""
        latest = self._latest.get(household)
        return latest is not None and self._remembered[latest].as_pressed.is_open

    async def handle(self, case_id: CaseId, command: Command) -> Handled:
        """Decide `command` on the case and append what happens.

        Raises what `decide` raises, and `Unavailable` when the log cannot be reached.
        """
        if is_past(case_id):
            raise Conflict(f"case {case_id} was imported: it is history, and nothing is added to it", case=case_id)
        remembered = self._remembered.get(case_id)
        if remembered is not None and remembered.as_pressed.is_open:
            # Only the log can confirm a memory; what it refuses, or finds nothing new in, is decided on the log below.
            with suppress(Refused, Stale):
                if events := decide(remembered, command):
                    return await self._append(case_id, remembered, command, events)
        for attempt in range(TRIES):
            case, head = await self.load(case_id), None
            if case.raised is not None and not case.as_pressed.is_open:
                # The household may have another case by now, which what this one still says must not hide.
                head = await self.log.head(household_of(case_id))
                case = await self.load(case_id)
            events = decide(case, command)
            if not events:
                return Handled(case, ())
            try:
                return await self._append(case_id, case, command, events, head)
            except Stale:
                await _pause(attempt)
        raise Unavailable(f"case {case_id} is changing too fast; send it again")

    async def press(self, command: RaiseAlarm, plan: Callable[[Press], Awaitable[Plan]]) -> Handled:
        """Take a press: on the household's open case if it has one, else on a new one with a `plan`.

        One that goes on under duress was cancelled to those who press: they open another one beside it.
        A real press ends a drill that is under way and opens a case of its own.
        Raises `Unavailable` when the log cannot be reached.
        """
        with _Planning(partial(plan, command.press)) as planning:
            if not self.knows_open(command.press.household):
                planning.begin()
            return await self._press(command, planning)

    async def _press(self, command: RaiseAlarm, planning: _Planning) -> Handled:
        household, press = command.press.household, command.press.press
        for attempt in range(TRIES):
            head = await self.log.head(household)
            latest = await self.load(head.case) if head else Case()
            if head and latest.seq < head.case_seq:  # a replica that answered is behind
                await _pause(attempt + 1)
                planning.forget()
                continue
            if is_overtaken(latest, command.press):
                await self._end_drill(latest.id, command)
                planning.forget()
                continue
            if latest.as_pressed.is_open and is_news(latest, command):
                return await self.handle(latest.id, replace(command, plan=await planning.begin()))
            if latest.as_pressed.is_open or is_repeat(latest, command):
                return await self.handle(latest.id, command)
            if head and (known := await self._heard_before(head, command)) is not None:
                return Handled(known, ())
            new = case_id_for(household, press)
            if head and (await self.load(new)).raised is not None:
                new = case_id_for(household, PressId(f"{press}@{head.seq}"))  # an id that was used before
            planned = replace(command, plan=await planning.begin(), case=new, beside=await self.under_duress(latest))
            events = decide(Case(), planned)
            opening = Head(new, seq=head.seq if head else 0, case_seq=0, at=command.at)
            try:
                return await self._append(new, Case(), planned, events, opening)
            except Stale:
                await _pause(attempt)
                planning.forget()
        raise Unavailable(f"household {household} is changing too fast; send it again")

    async def under_duress(self, newest: Case) -> CaseId | None:
        """The case of a household that goes on under duress, whose newest case is `newest`; None when none does."""
        case = newest
        while not (case.is_open and case.duress is not None):
            if case.beside is None:
                return None
            case = await self.load(case.beside)
        return case.id

    async def leave_out(self, household: HouseholdId, command: LeaveOut) -> None:
        """Let the people of `command` have no part in the household's cases of the last `LINKS_LIVE`, open or over.

        Raises `Unavailable`.
        """
        for case_id in await self.log.cases_since(household, command.at - LINKS_LIVE):
            await self.handle(case_id, command)

    async def _heard_before(self, head: Head, command: RaiseAlarm) -> Case | None:
        """The case of the household that has this press already: it was sent again, or the presses are read again."""
        since = command.accepted_at - REPEAT_WINDOW
        if head.at < since:
            return None
        for case_id in await self.log.cases_since(command.press.household, since):
            case = await self.load(case_id)
            if is_repeat(case, command) or was_passed_over(case, command):
                return case
        return None

    async def _end_drill(self, drill: CaseId, command: RaiseAlarm) -> None:
        cancel = Cancel(id=CommitId(f"ends-drill:{command.id}"), at=command.at, by="system", reason=REAL_ALARM)
        with suppress(Conflict):  # somebody else has just ended it
            await self.handle(drill, cancel)

    async def _append(
        self, case_id: CaseId, case: Case, command: Command, events: list[Event], head: Head | None = None
    ) -> Handled:
        commit = await self.log.append(
            case_id,
            events,
            commit=command.id,
            at=command.at,
            after=head.seq if head else case.seq,
            newest=head.case if head else None,
        )
        if commit.events != tuple(events):  # another process has carried this command out, in its own way
            return Handled(await self.load(case_id), ())
        if commit.stored_at != command.at:  # it was there before: what came between `case` and it is on the log alone
            return Handled(await self.load(case_id), commit.events)
        return Handled(self._remember(case_id, fold([commit], case)), commit.events)

    def _remember(self, case_id: CaseId, case: Case) -> Case:
        if case.raised is None:
            return case
        known = self._remembered.get(case_id)
        if known is not None and known.seq > case.seq:
            return known
        self._remembered[case_id] = case
        self._remembered.move_to_end(case_id)
        self._latest[household_of(case_id)] = case_id
        while len(self._remembered) > REMEMBERED_CASES:
            forgotten, _ = self._remembered.popitem(last=False)
            if self._latest.get(household_of(forgotten)) == forgotten:
                del self._latest[household_of(forgotten)]
        return case


async def _pause(attempt: int) -> None:
    """Step aside a little longer each time, so that writers on one case do not run in lockstep."""
    if attempt:
        await asyncio.sleep(0.002 * min(attempt, 25))
