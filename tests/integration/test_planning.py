"""Who is called is found out while the log is still asked where the household stands."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from dispatch.cases import CaseDesk, Plan, RaiseAlarm
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import CaseLog, Commit, Head, PlannedCall, Press, Reason, Stale
from dispatch.identifiers import AreaId, CommitId, HouseholdId, PersonId, PostId, PressId, Site
from dispatch.roster import Area, Duty, Household, Person, Post, Roster, call_list

CALLS = (PlannedCall(responder=PersonId("anna"), reasons=(Reason("member", "g"),), channels=("live",)),)


def press(name: str) -> RaiseAlarm:
    at = now()
    pressed = Press(press=PressId(name), household=HouseholdId("h-1"), device="key", source="http", pressed_at=at)
    return RaiseAlarm(id=CommitId(f"press-{name}"), at=at, accepted_at=at, press=pressed)


async def plan(_press: Press) -> Plan:
    return Plan(group=None, areas=(), calls=CALLS)


async def away(_press: Press) -> Plan:
    raise Unavailable("the roster does not answer")


async def test_the_roster_is_read_while_the_log_is_asked(nc: Client, site: Site) -> None:
    planning = asyncio.Event()

    class Waits(CaseLog):
        async def head(self, household: HouseholdId) -> Head | None:
            await asyncio.wait_for(planning.wait(), 10)
            return await super().head(household)

    async def begun(_press: Press) -> Plan:
        planning.set()
        return Plan(group=None, areas=(), calls=CALLS)

    assert (await CaseDesk(Waits(nc, site)).press(press("p"), begun)).case.is_open


async def test_one_more_press_on_the_open_case_asks_the_roster_nothing(nc: Client, site: Site) -> None:
    desk = CaseDesk(CaseLog(nc, site))
    case = (await desk.press(press("p"), plan)).case.id
    asked: list[Press] = []

    async def asks(press: Press) -> Plan:
        asked.append(press)
        return await plan(press)

    assert (await desk.press(press("again"), asks)).case.id == case
    assert asked == []


async def test_a_roster_that_is_away_does_not_stop_a_press_that_needs_no_plan(nc: Client, site: Site) -> None:
    case = (await CaseDesk(CaseLog(nc, site)).press(press("p"), plan)).case.id
    assert (await CaseDesk(CaseLog(nc, site)).press(press("again"), away)).case.id == case


async def test_without_a_roster_no_case_is_opened(nc: Client, site: Site) -> None:
    with pytest.raises(Unavailable, match="roster"):
        await CaseDesk(CaseLog(nc, site)).press(press("p"), away)
    assert await CaseLog(nc, site).head(HouseholdId("h-1")) is None


async def test_officers_are_those_of_the_tree_as_it_is_now(nc: Client, site: Site) -> None:
    roster = Roster(nc, site)
    village = Area(id=AreaId("v"), name="村", kind="village", parent=AreaId("old"))
    await roster.put(village, by="test")
    await roster.put(Household(id=HouseholdId("h-1"), name="李家", address="一号", area=village.id), by="test")
    for town in ("old", "new"):
        await roster.put(Area(id=AreaId(town), name=town, kind="township"), by="test")
        officer = PersonId(f"officer-{town}")
        await roster.put(Person(id=officer, name=town), by="test")
        post = Post(
            id=PostId(f"{town}-1"), area=AreaId(town), role="auxiliary_officer", name=town, duty=(Duty(person=officer),)
        )
        await roster.put(post, by="test")

    async def called() -> list[str]:
        return [one.person.id for one in (await call_list(roster, HouseholdId("h-1"), now())).called]

    assert [await called(), await called()] == [["officer-old"], ["officer-old"]]
    await roster.put(msgspec.structs.replace(village, parent=AreaId("new")), by="test")
    assert await called() == ["officer-new"]


async def test_a_press_that_comes_too_late_is_planned_anew(nc: Client, site: Site) -> None:
    made: list[Press] = []

    class Overtaken(CaseLog):
        async def append(self, *args: Any, **more: Any) -> Commit:
            if len(made) == 1:
                raise Stale("somebody else opened one")
            return await super().append(*args, **more)

    async def makes(press: Press) -> Plan:
        made.append(press)
        return await plan(press)

    assert (await CaseDesk(Overtaken(nc, site)).press(press("p"), makes)).case.is_open
    assert len(made) == 2
