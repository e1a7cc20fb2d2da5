"""What is owed is the fan-out's own to ring, and the watchdog's once the fan-out is away or does nothing."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg

from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import Incident, IncidentBook
from dispatch.fanout import Watchdog, own_channels, rescue, watchdog
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId
from dispatch.roles import looked_subject, ping_subject
from dispatch.roster import Household, WebhookPoint
from dispatch.settings import Settings
from tests.integration.test_fanout_watchdog import settle_up
from tests.standing_in import be_away_for, everybody_here, in_hand, looks_at, watching
from tests.village import HOUSEHOLD, SECRET, Village, opened, outcomes
from tests.waiting import until
from tests.workers import working


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


async def test_while_the_fan_out_is_there_its_calls_are_its_own(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=2), monkeypatch)
    await everybody_here(village)
    case_id, looks = await opened(village), await looks_at(village)
    await in_hand(village)
    async with watching(village, nats_settings):
        await looks.some_more(15)  # it is owed for three seconds
    assert village.rings() == [[], [], [], []]
    assert (await village.case(case_id)).owed()


async def test_what_the_fan_out_says_nothing_of_for_very_long_is_rung_though_it_answers(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "HANGS", timedelta(seconds=2))
    await everybody_here(village)
    case_id = await opened(village)
    await in_hand(village)
    async with watching(village, nats_settings):
        await village.finished(case_id)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_of_a_fan_out_that_takes_nothing_more_what_it_took_is_its_own(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=2), monkeypatch)
    await everybody_here(village)
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    await village.roster.put(replace(home, id=HouseholdId("h-2")), by="test")
    taken = await opened(village)
    await in_hand(village)
    lies = await opened(village, HouseholdId("h-2"))
    looks = await looks_at(village)
    async with watching(village, nats_settings):
        await village.finished(lies)
        await looks.some_more()
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]
    assert not (await village.case(taken)).calls[0, PersonId("p-0")].outcomes


async def test_who_could_not_hear_does_not_ring_at_once(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message server was away, and the fan-out, which is well, answers a moment later than the log."""
    away = timedelta(seconds=3)
    be_away_for(away, monkeypatch)
    hears, sees, over = True, True, False

    async def here(message: Msg) -> None:
        if hears:
            await message.respond(b"{}")

    async def looked(_message: Msg) -> None:
        nonlocal hears
        hears = hears or over

    for role in ("fanout", "serve", "project"):
        await village.nc.subscribe(ping_subject(nats_settings.site, role), cb=here)
    await village.nc.subscribe(looked_subject(nats_settings.site), cb=looked)
    case_id, looks = await opened(village), await looks_at(village)
    await in_hand(village)
    seeing = Watchdog._found

    async def found(self: Watchdog) -> list[Incident]:
        if not sees:
            raise Unavailable("the message server is away")
        return await seeing(self)

    monkeypatch.setattr(Watchdog, "_found", found)
    async with watching(village, nats_settings):
        await looks.some_more()
        hears = sees = False
        await asyncio.sleep(away.total_seconds() + 0.5)
        sees = over = True
        await looks.some_more()
    assert village.rings() == [[], [], [], []]
    assert (await village.case(case_id)).owed()


async def test_what_was_asked_for_after_the_fan_out_had_gone_is_rung_at_once_and_the_rest_when_it_would_be_done(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "AFTER", timedelta(hours=1))
    neighbours = Household(
        id=HouseholdId("h-2"), name="王家", address="14 号", area=AreaId("a-1"), group=GroupId("g-1")
    )
    await village.roster.put(neighbours, by="test")
    before = await opened(village)
    async with watching(village, nats_settings):
        await village.finished(await village.press(household=neighbours.id))
    assert (await village.case(before)).owed()
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_a_fan_out_that_answers_and_does_nothing_is_stood_in_for(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=2), monkeypatch)
    await everybody_here(village)
    async with watching(village, nats_settings):
        await village.finished(await village.press())
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_work_that_is_old_when_all_come_back_is_left_to_the_fan_out_for_a_while(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(minutes=5), monkeypatch)
    await everybody_here(village)
    case_id, looks = await opened(village), await looks_at(village)
    pressed = await village.press(household=HouseholdId("h-2"))
    await village.case_where(case_id, lambda case: case.alarm.at < now() - rescue.AFTER, "the calls to be overdue")

    async with watching(village, nats_settings, clock=lambda: now() + timedelta(hours=1)):
        await looks.some_more()
    assert village.rings() == [[], [], [], []]
    assert (await village.case(pressed)).raised is None


async def test_a_clock_that_is_put_forward_makes_nobody_silent_and_rings_nobody(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it runs ahead all the time: a hundred seconds of it are one in which everybody answers."""
    be_away_for(timedelta(seconds=15), monkeypatch)
    monkeypatch.setattr(watchdog, "SILENT", timedelta(seconds=15))
    await everybody_here(village)
    looks, start = await looks_at(village), now()
    pressed = await village.press()
    async with watching(village, nats_settings, clock=lambda: start + (now() - start) * 100):
        await looks.some_more(4)
        told = await IncidentBook(village.nc, village.site).told("silent.*")
    assert told == {}
    assert (await village.case(pressed)).raised is None, "the fan-out is there, and takes it when it can"
    assert village.rings() == [[], [], [], []]


async def test_what_a_fan_out_had_before_it_went_has_its_time_by_the_clock_too(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the clock goes slowly, what was asked for before is not what was asked for since."""
    monkeypatch.setattr(rescue, "AFTER", timedelta(minutes=1))
    await opened(village)
    looks, start = await looks_at(village), now()
    async with watching(village, nats_settings, clock=lambda: start + (now() - start) / 100):
        await looks.some_more(12)
    assert village.rings() == [[], [], [], []]


async def test_what_the_fan_out_has_made_meanwhile_is_not_rung(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_channels, "AT_ONCE", 2)
    busy = village.receivers[0]
    busy.answer = busy.hang
    await village.settle([(WebhookPoint(url=busy.url, secret=SECRET),)] * 4)
    case_id, looks = await opened(village), await looks_at(village)

    async def held() -> bool:
        return len(busy.requests) == 1

    async with watching(village, nats_settings):
        await until(held, "the first ring")
        await settle_up(village, case_id)
        busy.released.set()
        await looks.some_more()
    assert len(busy.requests) == 1
