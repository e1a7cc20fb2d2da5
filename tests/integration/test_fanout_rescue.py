"""The fan-out is away and nobody starts it: the watchdog rings what is owed itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.access import Links, load_keys
from dispatch.cases import CaseDesk
from dispatch.clock import now
from dispatch.fanout import rescue, rescuing, watchdog
from dispatch.identifiers import PersonId
from dispatch.roles import looked_subject, ping_subject
from dispatch.roster import LeftOut
from dispatch.settings import Settings
from tests.village import HOUSEHOLD, Village, opened, outcomes, until, village_of
from tests.workers import on_watch, working


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OWED", "WAITING", "SILENT", "LATE", "AWAY"):
        monkeypatch.setattr(watchdog, name, timedelta(seconds=0.5))
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.2)
    for module in (watchdog, rescue):
        monkeypatch.setattr(module, "AFTER", timedelta(seconds=1))


@asynccontextmanager
async def watching(village: Village, settings: Settings) -> AsyncIterator[None]:
    keys = await load_keys(village.nc, village.site)
    links = Links(keys.link_secret, "https://dispatch.example")
    desk = CaseDesk(village.log)
    async with (
        rescuing(village.nc, desk=desk, roster=village.roster, links=links, keys=keys, settings=settings) as own,
        on_watch(village, settings, rescue=own),
    ):
        yield


async def test_what_is_owed_rings_once_and_a_fan_out_that_comes_back_adds_nothing(
    village: Village, nats_settings: Settings
) -> None:
    case_id = await opened(village)
    async with watching(village, nats_settings):
        case = await village.finished(case_id)
        assert {key: value[0] for key, value in outcomes(case).items() if key[1] == "webhook"} == {
            (f"p-{n}", "webhook"): "sent" for n in range(4)
        }
        async with working(village, nats_settings):
            other = await village.press(household=HOUSEHOLD)  # joins the case; the fan-out is at work again
            await village.case_where(case_id, lambda c: len(c.presses) == 2, f"the press {other} on the case")
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]
    ring = json.loads(village.receivers[0].requests[0].body)["data"]
    assert (ring["case"], ring["word"]) == (case_id, "called")
    assert ring["link"]


async def test_while_the_fan_out_is_there_its_calls_are_its_own(village: Village, nats_settings: Settings) -> None:
    async def here(message: Msg) -> None:
        await message.respond(b"{}")

    for role in ("fanout", "serve", "project"):
        await village.nc.subscribe(ping_subject(nats_settings.site, role), cb=here)
    case_id = await opened(village)
    consumed = await village.nc.jetstream().pull_subscribe(
        f"cases.{village.site}.*.*", durable=f"calls-{village.site}", stream="CASES"
    )
    await consumed.fetch(1, timeout=5)  # taken in hand, by a fan-out that is slow
    looks = 0

    async def looked(_message: Msg) -> None:
        nonlocal looks
        looks += 1

    async def often() -> bool:
        return looks > 15

    await village.nc.subscribe(looked_subject(nats_settings.site), cb=looked)
    async with watching(village, nats_settings):
        await until(often, "it to be owed for three seconds")
    assert village.rings() == [[], [], [], []]
    assert (await village.case(case_id)).owed()


async def test_who_is_left_out_is_not_rung(village: Village, nats_settings: Settings) -> None:
    case_id = await opened(village)
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    out = LeftOut(person=PersonId("p-0"), by="operator:wang", at=now(), reason="test")
    await village.roster.put(replace(home, left_out=(out,)), by="test")
    async with watching(village, nats_settings):
        await village.case_where(case_id, lambda c: len(outcomes(c)) >= 6, "three to be called")
    assert [len(rings) for rings in village.rings()] == [0, 1, 1, 1]
