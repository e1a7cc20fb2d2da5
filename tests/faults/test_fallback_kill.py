"""kill -9 of the worker between the decision that a next channel rings and its ring: it rings, twice at most."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.aio.client import Client

from dispatch.cases import Case, CaseDesk, FallBack, GiveAnswer, Plan, Policy, RaiseAlarm, RecordCalls
from dispatch.clock import now
from dispatch.events import (
    CallOutcome,
    Channel,
    PlannedCall,
    PolicyStep,
    Press,
    Quorum,
    Reason,
)
from dispatch.identifiers import AreaId, CommitId, GroupId, PersonId, PressId
from dispatch.roster import ApprisePoint, WebhookPoint
from dispatch.settings import Settings
from tests.messengers import Messenger
from tests.receivers import status
from tests.village import HOUSEHOLD, SECRET, Village, outcomes, village_of
from tests.waiting import until
from tests.workers import FanoutProcess

PERSON = PersonId("p-0")
FIRST: tuple[Channel, ...] = ("live", "webhook")


@pytest.fixture
async def village(nc: Client, nats_settings: Settings, ntfy: Messenger) -> AsyncIterator[Village]:
    """One person whose webhook refuses everything, and who has a topic."""
    async with village_of(nc, nats_settings.site, 1) as made:
        (receiver,) = made.receivers
        receiver.answer = status(404)
        topic = ApprisePoint(url=f"ntfy://{ntfy.host}/topic")
        await made.settle([(WebhookPoint(url=receiver.url, secret=SECRET), topic)])
        yield made


async def decided(village: Village) -> Case:
    """A case in which the next channel is decided, and nobody was there to ring it."""
    at = now()
    press = Press(press=PressId("p"), household=HOUSEHOLD, device="d", source="http", pressed_at=at)
    steps = (PolicyStep(call=("group",), within_seconds=3600),)
    call = PlannedCall(responder=PERSON, reasons=(Reason("member", "g-1"),), channels=FIRST, then=("apprise",))
    plan = Plan(
        group=GroupId("g-1"),
        areas=(AreaId("a-1"),),
        calls=(call,),
        policy=Policy(id="p", quorum=Quorum(), steps=steps),
    )

    async def planned(_press: Press) -> Plan:
        return plan

    desk = CaseDesk(village.log)
    alarm = RaiseAlarm(id=CommitId("press"), at=at, accepted_at=at, press=press)
    case = (await desk.press(alarm, planned)).case
    failed = tuple(CallOutcome(step=0, responder=PERSON, channel=one, outcome="failed", at=at) for one in FIRST)
    await desk.handle(case.id, RecordCalls(id=CommitId("failed"), at=at, outcomes=failed))
    handled = await desk.handle(case.id, FallBack(id=CommitId("fall"), at=at + timedelta(seconds=1)))
    assert handled.events
    return handled.case


async def test_decided_and_not_rung_it_is_rung_when_a_worker_is_back(
    village: Village, nats_settings: Settings, nc: Client, ntfy: Messenger
) -> None:
    case = await decided(village)
    async with FanoutProcess(nc, nats_settings):
        done = await village.finished(case.id)
    assert outcomes(done)[PERSON, "apprise"] == ("sent", None, 1)
    assert len(ntfy.messages) == 1
    assert village.receivers[0].requests == [], "what had its outcome is not rung again"


async def test_killed_while_it_rings_it_is_unknown_and_rung_once_more(
    village: Village, nats_settings: Settings, nc: Client, ntfy: Messenger
) -> None:
    ntfy.deaf = True
    async with FanoutProcess(nc, nats_settings) as worker:
        case_id = await village.press()

        async def ringing() -> bool:
            return ntfy.tried == 1

        await until(ringing, "the next channel to ring")
        await worker.kill()
    ntfy.deaf = False
    ntfy.released.set()
    async with FanoutProcess(nc, nats_settings):
        case = await village.finished(case_id)
    assert outcomes(case)[PERSON, "apprise"] == ("sent", None, 2)
    assert ntfy.tried == 2


async def test_who_is_not_needed_any_more_when_the_worker_is_back_is_not_rung(
    village: Village, nats_settings: Settings, nc: Client, ntfy: Messenger
) -> None:

    case = await decided(village)
    answer = GiveAnswer(id=CommitId("a"), at=now(), responder=PERSON, answer="cannot", via="operator")
    await CaseDesk(village.log).handle(case.id, answer)
    async with FanoutProcess(nc, nats_settings):
        done = await village.finished(case.id)
    outcome, reason, _ = outcomes(done)[PERSON, "apprise"]
    assert (outcome, reason) == ("failed", "answered or stood down before this channel rang")
    assert ntfy.messages == []
