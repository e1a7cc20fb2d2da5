"""What is different about a drill: whom its cases call further, and that it ends by itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec
import structlog
from nats.aio.client import Client

from dispatch.cases import Cancel, CaseDesk, Plan
from dispatch.clock import Clock, now
from dispatch.drills import Drill, DrillBook, case_of, drill_of_device
from dispatch.errors import Conflict, NotFound, Unavailable
from dispatch.events import DRILLS, Press, Target, follow
from dispatch.identifiers import CommitId, Site

log = structlog.get_logger()

OWN: frozenset[Target] = frozenset({"group", "officers", "again"})
"""Whom a drill calls: the chosen groups and their officers, and those again who did not answer."""
OVER = "演练时间到 / the drill's time is over"
LOOK_SECONDS = 0.5
LINGERS = timedelta(seconds=10)
"""How long after its end a drill is looked at once more, for a case that was opened in its last moment."""


class Drills:
    """The drills of one site, as the fan-out has to do with them."""

    def __init__(self, nc: Client, site: Site | str, desk: CaseDesk, clock: Clock = now) -> None:
        self._nc, self._site, self._desk, self._clock = nc, Site(site), desk, clock
        self._book = DrillBook(nc, site)
        self._running: dict[str, Drill] = {}
        self._lingering: dict[str, Drill] = {}

    async def fitted(self, press: Press, plan: Plan) -> Plan:
        """`plan` as a drill's case has it: without the steps that call others than its own, unless it says so.

        Raises `Unavailable`.
        """
        name = drill_of_device(press.device) if press.drill else None
        drill = await self._book.get(name) if name else None
        if not press.drill or (drill is not None and drill.escalate):
            return plan
        return of_its_own(plan)

    async def is_too_late(self, press: Press) -> bool:
        """Whether this is a press of a drill that is over: nobody is rung for it any more. Raises `Unavailable`."""
        name = drill_of_device(press.device) if press.drill else None
        drill = await self._book.get(name) if name else None
        return drill is not None and drill.is_over(self._clock())

    async def run(self) -> None:
        """Close the cases of each drill when its time is over, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._end_for_ever())

    async def _follow(self) -> None:
        async for message in follow(self._nc, f"KV_{DRILLS}", f"$KV.{DRILLS}.{self._site}.>"):
            with suppress(msgspec.DecodeError):  # a deletion
                drill = msgspec.json.decode(message.data, type=Drill)
                if self._clock() < drill.until + LINGERS or not await self._is_closed(drill):
                    self._running[drill.id] = drill

    async def _end_for_ever(self) -> None:
        while True:
            at = self._clock()
            await self._end_what_is_done(at)
            due = [drill for drill in self._running.values() if drill.is_over(at)]
            late = [drill for drill in self._lingering.values() if drill.is_over(at - LINGERS)]
            try:
                for drill in due:
                    await self._end(drill)
                    self._lingering[drill.id] = drill
                    _forget(self._running, drill)
                for drill in late:
                    await self._end(drill)
                    _forget(self._lingering, drill)
            except Unavailable as error:
                log.warning("drill.waiting", reason=error.detail)
            await asyncio.sleep(LOOK_SECONDS)

    async def _end_what_is_done(self, at: datetime) -> None:
        """A drill each of whose cases was ended before its time, by an operator or a real alarm, is over."""
        for drill in [one for one in self._running.values() if not one.is_over(at)]:
            try:
                if await self._is_done(drill):
                    await self._book.end(drill, at)
            except Unavailable as error:
                log.warning("drill.waiting", reason=error.detail)

    async def _is_done(self, drill: Drill) -> bool:
        for household in drill.households:
            case = await self._desk.load(case_of(drill.id, household))
            if case.raised is None or (case.is_open and case.drill):
                return False
        return True

    async def _end(self, drill: Drill) -> None:
        for household in drill.households:
            case = await self._desk.load(case_of(drill.id, household))
            if case.is_open and case.alarm.drill and case.duress is None:
                command = Cancel(id=CommitId(f"drill-over:{drill.id}"), at=self._clock(), by="system", reason=OVER)
                with suppress(Conflict, NotFound):  # somebody else has just ended it
                    await self._desk.handle(case.id, command)
                    log.info("drill.case_over", drill=drill.id, case=case.id)

    async def _is_closed(self, drill: Drill) -> bool:
        """Whether an old drill left nothing open: the fan-out may have been away when its time was over."""
        try:
            cases = [await self._desk.load(case_of(drill.id, household)) for household in drill.households]
        except Unavailable:
            return False
        return not any(case.is_open for case in cases)


def _forget(drills: dict[str, Drill], drill: Drill) -> None:
    if drills.get(drill.id) == drill:  # it may have been ended earlier meanwhile
        del drills[drill.id]


def of_its_own(plan: Plan) -> Plan:
    """`plan` with those steps of its policy alone that call its own people; the first call is one in any event."""
    if plan.policy is None:
        return plan
    steps = [
        msgspec.structs.replace(step, call=own)
        for step in plan.policy.steps
        if (own := tuple(target for target in step.call if target in OWN))
    ]
    policy = msgspec.structs.replace(plan.policy, steps=tuple(steps) or plan.policy.steps[:1])
    return msgspec.structs.replace(plan, policy=policy)
