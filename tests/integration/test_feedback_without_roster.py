"""The roster does not answer: every button hears what its case alone says, and none waits for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.cases import Case, CaseDesk, NextCall, Plan, Policy, RaiseAlarm
from dispatch.clock import now
from dispatch.events import CaseLog, PlannedCall, PolicyStep, Press, Quorum, Reason, answer_subject
from dispatch.identifiers import AreaId, CommitId, HouseholdId, PersonId, PressId, Site
from dispatch.intake import ButtonFeedback

HOUSEHOLDS = tuple(HouseholdId(f"h-{n}") for n in range(5))
STEPS = (
    PolicyStep(call=("group",), within_seconds=600),
    PolicyStep(call=("neighbour_officers",), within_seconds=600),
)
PLAN = Plan(
    group=None,
    areas=(AreaId("v"),),
    calls=(PlannedCall(responder=PersonId("p-1"), reasons=(Reason("member", "g"),), channels=("live",)),),
    policy=Policy(id="v", quorum=Quorum(anyone=2), steps=STEPS),
)


async def test_of_many_that_wait_one_alone_asks_a_roster_that_does_not_answer(nc: Client, site: Site) -> None:
    log = CaseLog(nc, site)
    for household in HOUSEHOLDS:
        await pressed(log, household)
    asked: list[Case] = []

    async def ahead(case: Case) -> NextCall | None:
        asked.append(case)
        await asyncio.Event().wait()
        return None

    async with hearing(nc, site) as heard, speaking(ButtonFeedback(nc, log, ahead)):
        said = [msgspec.json.decode(await asyncio.wait_for(heard.get(), 30)) for _ in HOUSEHOLDS]
    assert {one["next"]["what"] for one in said} == {"widens"}
    assert len(asked) == 1


async def pressed(log: CaseLog, household: HouseholdId) -> None:
    at = now()
    press = Press(press=PressId("p"), household=household, device="key", source="http", pressed_at=at)

    async def plan(_press: Press) -> Plan:
        return PLAN

    await CaseDesk(log).press(RaiseAlarm(id=CommitId("press"), at=at, accepted_at=at, press=press), plan)


@asynccontextmanager
async def hearing(nc: Client, site: Site) -> AsyncIterator[asyncio.Queue[bytes]]:
    heard = asyncio.Queue[bytes]()

    async def hear(message: Msg) -> None:
        await heard.put(message.data)

    for household in HOUSEHOLDS:
        await nc.subscribe(answer_subject(site, household), cb=hear)
    await nc.flush()
    yield heard


@asynccontextmanager
async def speaking(feedback: ButtonFeedback) -> AsyncIterator[None]:
    task = asyncio.create_task(feedback.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
