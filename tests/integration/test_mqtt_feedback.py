"""What a button hears of the case after its press: who comes, and what happens next. By mosquitto's own client."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from nats.aio.client import Client

from dispatch.access import Tokens
from dispatch.cases import Cancel, CaseDesk, Command, GiveAnswer, Pause, Plan, RaiseAlarm, Resolve, SignalDuress
from dispatch.clock import now
from dispatch.events import CaseLog, PlannedCall, Press, Reason
from dispatch.identifiers import AreaId, CaseId, CommitId, HouseholdId, PersonId, PressId, Site
from dispatch.intake import ButtonFeedback
from dispatch.roster import Roster
from dispatch.web import Ahead
from tests.buttons import Button, gate, mqtt_of, needs_mosquitto
from tests.servers import Servers

pytestmark = needs_mosquitto

HOME = HouseholdId("h-1")
PEOPLE = (PersonId("p-1"), PersonId("p-2"))


class Village:
    """A site of a test's own, with a gate for its button."""

    def __init__(self, nc: Client, site: Site, port: int) -> None:
        self.nc, self.site, self._port = nc, site, port
        self.log = CaseLog(nc, self.site)
        self.desk = CaseDesk(self.log)

    async def begin(self) -> None:
        self._secret = (await Tokens(self.nc, self.site).issue("device", HOME)).secret

    def button(self) -> Button:
        return Button(self._port, self.site, HOME, self._secret)

    async def press(self, *, silent: bool = False) -> CaseId:
        """A case, raised as the fan-out raises it."""
        at, id_ = now(), secrets.token_hex(4)
        press = Press(press=PressId(id_), household=HOME, device="key", source="mqtt", pressed_at=at, silent=silent)
        calls = tuple(PlannedCall(responder=p, reasons=(Reason("member", "g"),), channels=("live",)) for p in PEOPLE)

        async def plan(_press: Press) -> Plan:
            return Plan(group=None, areas=(AreaId("v"),), calls=calls)

        return (await self.desk.press(RaiseAlarm(id=CommitId(id_), at=at, accepted_at=at, press=press), plan)).case.id

    async def do(self, case: CaseId, command: Callable[..., Command], **values: Any) -> None:
        await self.desk.handle(case, command(id=CommitId(secrets.token_hex(4)), at=now(), **values))

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[None]:
        feedback = ButtonFeedback(self.nc, self.log, Ahead(Roster(self.nc, self.site)).of)
        speaking = asyncio.create_task(feedback.run())
        try:
            yield
            assert not speaking.done(), speaking
        finally:
            speaking.cancel()
            await asyncio.wait([speaking])


@pytest.fixture
async def village(servers: Servers, nc: Client, site: Site) -> AsyncIterator[Village]:
    port, seed = mqtt_of(servers)
    made = Village(nc, site, port)
    await made.begin()
    async with gate(nc, site, seed):
        yield made


async def said(button: Button, **expected: object) -> dict[str, Any]:
    """The next thing the button hears, which must be as `expected`."""
    heard = await button.answer()
    assert {name: heard[name] for name in expected} == expected, heard
    return heard


async def test_the_button_hears_who_comes_and_what_is_next(village: Village) -> None:
    async with village.button() as button, village.speaking():
        case = await village.press()
        first = await said(button, case=case, status="raised", coming=0, nearest_eta_at=None, drill=False)
        assert first.keys() == {"case", "status", "coming", "nearest_eta_at", "next", "drill"}
        assert first["next"]["what"] == "widens"
        opened = (await village.desk.load(case)).alarm.at
        assert first["next"]["at"] == (opened + timedelta(seconds=45)).isoformat().replace("+00:00", "Z")
        await village.do(case, GiveAnswer, responder=PEOPLE[0], answer="going", via="page", eta_minutes=4)
        heard = await said(button, status="under_way", coming=1)
        assert heard["nearest_eta_at"] is not None
        await village.do(case, Pause, by="op", until=now() + timedelta(minutes=5))
        assert (await said(button, coming=1))["next"]["what"] == "paused"
        await village.do(case, GiveAnswer, responder=PEOPLE[1], answer="going", via="page", eta_minutes=9)
        assert (await said(button, coming=2))["next"]["what"] == "arrival"
        await village.do(case, GiveAnswer, responder=PEOPLE[0], answer="on_scene", via="page")
        await said(button, status="on_scene", coming=1, next={"what": "closing", "at": None})
        await village.do(case, Resolve, by="op", resolution="handed_over")
        await said(button, status="resolved", coming=0, next={"what": "handed_over", "at": None})


async def test_with_one_there_and_too_few_the_button_hears_that_the_call_widens(village: Village) -> None:
    async with village.button() as button, village.speaking():
        case = await village.press()
        await said(button, case=case, status="raised")
        await village.do(case, GiveAnswer, responder=PEOPLE[0], answer="on_scene", via="page")
        assert (await said(button, status="on_scene", coming=0))["next"]["what"] == "widens"


async def test_of_a_silent_alarm_the_button_hears_nothing(village: Village) -> None:
    async with village.button() as button, village.speaking():
        silent = await village.press(silent=True)
        await village.do(silent, GiveAnswer, responder=PEOPLE[0], answer="going", via="page")
        await village.do(silent, Cancel, by="op")
        loud = await village.press()
        await said(button, case=loud)  # and nothing before


async def test_under_duress_the_button_hears_what_a_cancelled_case_would_say(village: Village) -> None:
    heard: list[list[dict[str, Any]]] = []
    async with village.button() as button, village.speaking():
        for deed in (Cancel, SignalDuress):
            case = await village.press()
            first = await said(button, case=case, status="raised")
            await village.do(case, deed, by=f"device:{HOME}")
            last = await said(button, case=case)
            second = await village.press()
            if deed is SignalDuress:
                await village.do(case, GiveAnswer, responder=PEOPLE[0], answer="going", via="page")
            again = await said(button, case=second, status="raised")
            await village.do(second, deed, by=f"device:{HOME}")
            ended = await said(button, case=second)
            told = (first, last, again, ended)
            heard.append([{**one, "case": "", "next": bool(one["next"])} for one in told])
            if deed is SignalDuress:
                for gone_on in (second, case):
                    await village.do(gone_on, Resolve, by="op", resolution="helped")
        after = await village.press()
        await said(button, case=after, status="raised")
    assert heard[0] == heard[1]
    assert [one["status"] for one in heard[1]] == ["raised", "cancelled", "raised", "cancelled"]


async def test_after_a_restart_it_speaks_of_open_cases_alone(village: Village) -> None:
    over = await village.press()
    await village.do(over, Cancel, by="op")
    pretended = await village.press()
    await village.do(pretended, SignalDuress, by=f"device:{HOME}")
    await village.do(pretended, Resolve, by="op", resolution="helped")
    case = await village.press()
    await village.do(case, GiveAnswer, responder=PEOPLE[0], answer="going", via="page")
    async with village.button() as button, village.speaking():
        await said(button, case=case, coming=1)
        await village.do(case, Cancel, by="op")
        await said(button, case=case, status="cancelled")
