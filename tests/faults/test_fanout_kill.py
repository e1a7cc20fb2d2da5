"""kill -9 of the worker in the middle of a call to thirteen: all are called, nobody rings more than once too often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from nats.aio.client import Client

from dispatch.cases import Case
from dispatch.events import CASES, CallsRecorded
from dispatch.identifiers import HouseholdId, PersonId, notification_id
from dispatch.roster import Household, WebhookPoint
from dispatch.settings import Settings
from tests.receivers import Reserved, receiving
from tests.village import HOUSEHOLD, SECRET, Village, outcomes, village_of
from tests.waiting import until
from tests.workers import FanoutProcess

THIRTEEN = 13
KILLS_AFTER_SECONDS = (0.0, 0.003, 0.008)


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, THIRTEEN) as made:
        yield made


async def arrived(village: Village, count: int) -> None:
    async def enough() -> bool:
        return sum(len(receiver.requests) for receiver in village.receivers) >= count

    await until(enough, f"{count} requests")


def everybody_has_an_outcome(case: Case, channels: int = 2) -> None:
    known = outcomes(case)
    assert len(known) == THIRTEEN * channels
    assert {known[f"p-{n}", "webhook"][0] for n in range(THIRTEEN)} == {"sent"}
    assert {known[f"p-{n}", "live"][0] for n in range(THIRTEEN)} == {"failed"}


def rings_of(village: Village, case: Case) -> list[int]:
    """How often each phone rang, all under the notification id that it should have."""
    for n, ids in enumerate(village.rings()):
        assert set(ids) <= {notification_id(case.id, PersonId(f"p-{n}"))}
    return [len(ids) for ids in village.rings()]


async def test_killed_when_all_have_it_and_nothing_is_recorded(
    village: Village, nats_settings: Settings, nc: Client
) -> None:
    for receiver in village.receivers:
        receiver.answer = receiver.hang
    async with FanoutProcess(nc, nats_settings) as worker:
        case_id = await village.press()
        await arrived(village, THIRTEEN)
        await worker.kill()
    assert not any(owed for (_, channel), owed in outcomes(await village.case(case_id)).items() if channel == "webhook")
    for receiver in village.receivers:
        receiver.released.set()
    async with FanoutProcess(nc, nats_settings):
        case = await village.finished(case_id)
    everybody_has_an_outcome(case)
    assert rings_of(village, case) == [2] * THIRTEEN
    assert {outcomes(case)[f"p-{n}", "webhook"][2] for n in range(THIRTEEN)} == {2}
    recorded = [e for c in await village.log.load(case_id) for e in c.events if isinstance(e, CallsRecorded)]
    unknown = {o.responder for event in recorded for o in event.outcomes if o.outcome == "unknown"}
    assert len(unknown) == THIRTEEN


async def test_killed_when_some_have_it_and_some_cannot_be_reached(
    village: Village, nats_settings: Settings, nc: Client
) -> None:
    async with AsyncExitStack() as late:
        down = [Reserved() for _ in range(6)]
        points = [(WebhookPoint(url=r.url, secret=SECRET),) for r in village.receivers[:7]]
        await village.settle([*points, *((WebhookPoint(url=port.url, secret=SECRET),) for port in down)])
        village.receivers[0].answer = village.receivers[0].hang
        async with FanoutProcess(nc, nats_settings) as worker:
            case_id = await village.press()
            await arrived(village, 7)
            await worker.kill()
        village.receivers[0].released.set()
        village.receivers[7:] = [await late.enter_async_context(receiving(port=port.release())) for port in down]
        async with FanoutProcess(nc, nats_settings):
            case = await village.finished(case_id)
            await until(lambda: nothing_left(nc, village.site), "the message to be acknowledged")
    everybody_has_an_outcome(case)
    rings = rings_of(village, case)
    assert rings[0] == 2
    assert all(1 <= count <= 2 for count in rings[:7])
    assert rings[7:] == [1] * 6


@pytest.mark.parametrize("after", KILLS_AFTER_SECONDS)
async def test_killed_at_any_moment_after_a_press(
    village: Village, nats_settings: Settings, nc: Client, after: float
) -> None:
    homes = [HOUSEHOLD, *(HouseholdId(f"h-{n}") for n in range(2, 5))]
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    for other in homes[1:]:
        await village.roster.put(
            Household(id=other, name="张家", address="1 号", area=home.area, group=home.group), by="test"
        )
    async with FanoutProcess(nc, nats_settings) as worker:
        cases = [await village.press(household=household) for household in homes]
        await asyncio.sleep(after)  # the moment of the kill is the point
        await worker.kill()
    async with FanoutProcess(nc, nats_settings):
        for case_id in cases:
            everybody_has_an_outcome(await village.finished(case_id))
    for ids in village.rings():
        assert len(set(ids)) == len(homes)
        assert all(ids.count(one) <= 2 for one in ids)


async def nothing_left(nc: Client, site: str) -> bool:
    info = await nc.jetstream().consumer_info(CASES, f"calls-{site}")
    return bool(info.num_pending == 0 and info.num_ack_pending == 0)
