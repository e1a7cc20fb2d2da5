"""Somebody is left out of a household's calls in the moment in which a press calls them: they have no part in it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest
from nats.aio.client import Client

from dispatch.cases import CaseDesk, Plan, RaiseAlarm
from dispatch.clock import now
from dispatch.events import Kind, Press, Timers, commit_of
from dispatch.fanout.escalation import Escalation
from dispatch.fanout.turns import Turns
from dispatch.identifiers import CaseId, CommitId, PersonId, PressId, Site
from dispatch.roster import Audit, leave_out
from tests.village import HOUSEHOLD, Village, village_of

HIM = PersonId("p-1")


@dataclass
class Worker:
    """The part of a fan-out worker that looks at a case after each commit."""

    village: Village

    def __post_init__(self) -> None:
        timers = Timers(self.village.nc, self.village.site)
        self.desk = CaseDesk(self.village.log)
        self.escalation = Escalation(self.desk, roster=self.village.roster, timers=timers, turns=Turns(1))

    async def press(self, kind: Kind, plan: Plan) -> CaseId:
        """A press for which `plan` was made before, and what the worker does after its commit."""
        at = now()
        press = Press(
            press=PressId(uuid4().hex), household=HOUSEHOLD, device="d", source="http", pressed_at=at, kind=kind
        )

        async def made(_press: Press) -> Plan:
            return plan

        command = RaiseAlarm(id=CommitId(f"press-{press.press}"), at=at, accepted_at=at, press=press)
        handled = await self.desk.press(command, made)
        async for message in self.village.log.follow():
            commit = commit_of(message)
            if commit.id == command.id:
                await self.escalation.seen(message)
                return handled.case.id
        raise AssertionError("the log has no end")

    async def planned(self) -> Plan:
        press = Press(press=PressId("x"), household=HOUSEHOLD, device="d", source="http", pressed_at=now())
        return await self.village.plan(press)

    async def leave_him_out(self) -> None:
        nc, site = self.village.nc, self.village.site
        await leave_out(self.village.roster, Audit(nc, site), HOUSEHOLD, HIM, by="wang", at=now(), reason="打人")


@pytest.mark.parametrize("kinds", [("help",), ("help", "fire")], ids=["that opened it", "that calls again"])
async def test_who_is_left_out_while_a_press_is_planned_has_no_part_in_the_case(
    nc: Client, site: Site, kinds: tuple[Kind, ...]
) -> None:
    async with village_of(nc, site, 3) as village:
        worker = Worker(village)
        *before, last = kinds
        for kind in before:
            await worker.press(kind, await worker.planned())
        plan = await worker.planned()
        await worker.leave_him_out()
        case = await village.case(await worker.press(last, plan))
        assert {call.responder for call in case.calls.values()} >= {HIM}, "they were called, for it was planned so"
        assert case.left_out == {HIM}
