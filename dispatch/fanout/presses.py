"""Presses become cases: the alarm and the plan of calls are on the log before anybody is called."""

from __future__ import annotations

from datetime import datetime

import structlog
from nats.aio.msg import Msg

from dispatch.cases import CaseDesk, Handled, Plan, RaiseAlarm
from dispatch.clock import Clock, now, of_server
from dispatch.errors import Conflict, Refused, Unavailable
from dispatch.events import AlarmRaised, Press, RespondersCalled, decode_press
from dispatch.fanout.directory import Directory
from dispatch.fanout.drills import Drills
from dispatch.fanout.floods import Floods
from dispatch.fanout.metrics import PRESSES
from dispatch.fanout.plan import plan_of
from dispatch.fanout.rubbish import Tell
from dispatch.fanout.turns import Place, Rank, Turns
from dispatch.identifiers import CommitId, HouseholdId

log = structlog.get_logger()


class Presses:
    """Handles one message of the stream `INTAKE`."""

    def __init__(
        self,
        desk: CaseDesk,
        *,
        directory: Directory,
        turns: Turns,
        drills: Drills,
        tell_rubbish: Tell,
        clock: Clock = now,
    ) -> None:
        """`tell_rubbish` is told of which household an unreadable press was passed over."""
        self._desk, self._directory, self._turns, self._clock = desk, directory, turns, clock
        self._drills, self._tell_rubbish = drills, tell_rubbish
        self._floods = Floods()

    async def handle(self, message: Msg) -> None:
        """Put the press on the log. Raises `Refused` for one that cannot be read, `Unavailable` for "later"."""
        arrived = of_server(message.metadata.timestamp)
        try:
            press = decode_press(message.subject, message.headers, message.data, arrived=arrived)
        except Refused as error:
            if not self._floods.is_rubbish(message.subject, message.metadata.sequence.stream, arrived):
                raise
            PRESSES.labels("rubbish").inc()
            log.warning("press.rubbish", subject=message.subject, reason=error.detail)
            await self._tell_rubbish(message.subject.rpartition(".")[2])
            return
        if await self._drills.is_too_late(press):
            PRESSES.labels("drill_over").inc()
            return
        with structlog.contextvars.bound_contextvars(press=press.press, household=press.household):
            async with self._floods.one_at_a_time(press.household):
                if self._floods.is_flooded(press, arrived):
                    PRESSES.labels("flood").inc()
                    return
                async with self._turns.at(Place(Rank.FIRST, press.drill, press.household)):
                    looked = self._clock()
                    handled = await self._take(press, arrived)
                if handled.case.as_pressed.is_open:
                    self._floods.taken(press, arrived, looked)
            _report(handled)

    def overheard(self, household: HouseholdId) -> None:
        """A press of `household` is on its way: unless it has an open case, read who is called meanwhile."""
        self._directory.outdate(household)
        if not self._desk.knows_open(household):
            self._directory.read_ahead(household)

    async def _plan(self, press: Press) -> Plan:
        plan = plan_of(await self._directory.call_list(press.household), press.kind)
        return await self._drills.fitted(press, plan)

    async def _take(self, press: Press, arrived: datetime) -> Handled:
        # A press id that is used again is another press: it is the message that is handled once.
        id_ = CommitId(f"press-{press.press}-{arrived.timestamp():.6f}")
        try:
            command = RaiseAlarm(id=id_, at=self._clock(), accepted_at=arrived, press=press)
            return await self._desk.press(command, self._plan)
        except Conflict as error:
            # Closed between our look and our word: the press belongs to a new case.
            raise Unavailable(f"the case was just closed: {error.detail}") from None


def _report(handled: Handled) -> None:
    called = [event for event in handled.events if isinstance(event, RespondersCalled)]
    opened = any(isinstance(event, AlarmRaised) for event in handled.events)
    result = "opened" if opened else "called_again" if called else "again" if handled.events else "nothing_new"
    PRESSES.labels(result).inc()
    log.info(
        "press.taken",
        case=handled.case.id,
        result=result,
        called=sum(len(event.calls) for event in called),
        gaps=sum(len(event.gaps) for event in called),
    )
