"""The fan-out is away, and the case ends: those who were called need not come, and hear it from the watchdog."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest
from msgspec.structs import replace

from dispatch.cases import CallOne, Cancel, CaseDesk, Command, Resolve, SignalDuress, StandDown
from dispatch.clock import now
from dispatch.events import CASES, INTAKE, PlannedCall, Reason
from dispatch.fanout import own_channels, stand_in
from dispatch.fanout.lanes import Limits
from dispatch.fanout.stand_in import StandIn
from dispatch.identifiers import CommitId, HouseholdId, PersonId, notification_id
from dispatch.process import alive
from dispatch.roster import WebhookPoint
from dispatch.settings import Settings
from tests.integration.test_fanout_watchdog import appears, disappears, settle_up
from tests.receivers import Receiver, ok
from tests.standing_in import be_away_for, everybody_here, handled, looks_at, silent_press, watching
from tests.village import HOUSEHOLD, SECRET, Village, opened, outcomes
from tests.waiting import until
from tests.workers import on_watch, working


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone that hangs is waited for, so that nothing is sent to it twice."""
    monkeypatch.setattr(stand_in, "LIMITS", {"webhook": Limits(seconds=60, budget=60)})


def words(village: Village) -> list[list[str]]:
    """What each phone was told, oldest first."""
    return [[json.loads(r.body)["data"]["word"] for r in receiver.requests] for receiver in village.receivers]


def notifications(village: Village) -> set[str]:
    return {id_ for rings in village.rings() for id_ in rings}


async def all_told(village: Village, told: list[list[str]]) -> None:
    async def heard() -> bool:
        return words(village) == told

    try:
        await until(heard, "the word")
    finally:
        assert words(village) == told


DEEDS: dict[str, tuple[Callable[[], Command], str]] = {
    "stood down": (lambda: StandDown(id=CommitId("deed"), at=now(), by="operator:wang"), "stood_down"),
    "cancelled": (lambda: Cancel(id=CommitId("deed"), at=now(), by="operator:wang"), "over"),
    "resolved": (lambda: Resolve(id=CommitId("deed"), at=now(), by="operator:wang", resolution="helped"), "over"),
}


@pytest.mark.parametrize("deed", DEEDS)
async def test_everybody_is_told_once_in_the_place_of_their_ring_and_a_fan_out_that_comes_back_adds_nothing(
    village: Village, nats_settings: Settings, deed: str
) -> None:
    command, word = DEEDS[deed]
    async with watching(village, nats_settings):
        case_id = await village.press()
        await village.finished(case_id)
        await CaseDesk(village.log).handle(case_id, command())
        await all_told(village, [["called", word]] * 4)
        await until(lambda: handled(village, CASES, "notices"), "the commits to be dealt with")
    async with working(village, nats_settings):
        for stream, job in ((INTAKE, "fanout"), (CASES, "calls"), (CASES, "notices")):
            await until(lambda s=stream, j=job: handled(village, s, j), f"the fan-out to have read all {job}")  # type: ignore[misc]
    assert words(village) == [["called", word]] * 4
    assert notifications(village) == {notification_id(case_id, PersonId(f"p-{n}")) for n in range(4)}


async def test_word_waits_for_a_ring_that_is_under_way(village: Village, nats_settings: Settings) -> None:
    """p-0's phone has the ring and does not say so yet; it is taken back once it has."""
    slow = village.receivers[0]
    slow.answer = slow.hang
    async with watching(village, nats_settings):
        case_id = await village.press()
        await village.case_where(case_id, lambda c: len(outcomes(c)) >= 7, "the other rings")
        await CaseDesk(village.log).handle(case_id, DEEDS["cancelled"][0]())
        await all_told(village, [["called"], *[["called", "over"]] * 3])
        slow.answer = ok
        slow.released.set()
        await all_told(village, [["called", "over"]] * 4)


async def test_who_was_told_before_the_fan_out_came_back_is_not_told_again_by_it(
    village: Village, nats_settings: Settings
) -> None:
    """p-0's phone has the word and does not say so: of that alone nobody can know, and it is sent once more."""
    case_id = await opened(village)
    await settle_up(village, case_id)
    await CaseDesk(village.log).handle(case_id, DEEDS["cancelled"][0]())
    slow = village.receivers[0]
    slow.answer = slow.hang
    async with watching(village, nats_settings):
        await all_told(village, [["over"]] * 4)
        slow.answer = ok
        async with alive(village.nc, "fanout", nats_settings), working(village, nats_settings):
            await until(lambda: handled(village, CASES, "notices"), "the fan-out to have dealt with it")
    assert words(village) == [["over", "over"], *[["over"]] * 3]
    assert len(notifications(village)) == 4, "and it takes the place of the first"


async def test_under_duress_only_the_phones_at_home_are_told_that_it_is_over(
    village: Village, nats_settings: Settings
) -> None:
    known = await village.roster.household(HOUSEHOLD)
    assert known is not None
    await village.roster.put(replace(known, residents=(PersonId("p-0"),)), by="test")
    async with watching(village, nats_settings):
        case_id = await village.press()
        await village.finished(case_id)
        duress = SignalDuress(id=CommitId("duress"), at=now(), by=f"device:{HOUSEHOLD}")
        await CaseDesk(village.log).handle(case_id, duress)
        await all_told(village, [["called", "over"], *[["called", "called"]] * 3])
        await until(lambda: handled(village, CASES, "notices"), "the commits to be dealt with")
    assert words(village) == [["called", "over"], *[["called", "called"]] * 3]


async def test_who_was_spared_on_a_silent_alarm_hears_nothing_of_its_end(
    village: Village, nats_settings: Settings
) -> None:
    known = await village.roster.household(HOUSEHOLD)
    assert known is not None
    await village.roster.put(replace(known, residents=(PersonId("p-0"),)), by="test")
    case_id = (await CaseDesk(village.log).press(silent_press(), village.plan)).case.id
    async with watching(village, nats_settings):
        await village.finished(case_id)
        await CaseDesk(village.log).handle(case_id, DEEDS["cancelled"][0]())
        await all_told(village, [[], *[["called", "over"]] * 3])
        await until(lambda: handled(village, CASES, "notices"), "the commits to be dealt with")
    assert words(village)[0] == []


async def test_a_channel_that_is_not_set_up_here_is_left_to_the_fan_out_and_nobody_else_waits_or_hears_it_twice(
    village: Village, nats_settings: Settings
) -> None:
    """p-0 was rung by text before the fan-out went; the watchdog has no account with the SMSC."""
    case_id = await opened(village)
    await settle_up(village, case_id)
    asked = PlannedCall(responder=PersonId("p-0"), reasons=(Reason("asked", "operator:wang"),), channels=("sms",))
    await CaseDesk(village.log).handle(case_id, CallOne(id=CommitId("ask"), at=now(), by="operator:wang", call=asked))
    await settle_up(village, case_id)
    await CaseDesk(village.log).handle(case_id, DEEDS["cancelled"][0]())
    looks = await looks_at(village)
    async with watching(village, nats_settings):
        await all_told(village, [[], *[["over"]] * 3])
        await looks.some_more(10)
    assert words(village) == [[], *[["over"]] * 3]
    assert not await handled(village, CASES, "notices")


async def test_a_fan_out_that_calls_and_tells_nobody_that_it_is_over_is_stood_in_for(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=1), monkeypatch)
    await everybody_here(village)
    case_id = await opened(village)
    await settle_up(village, case_id)
    await CaseDesk(village.log).handle(case_id, DEEDS["cancelled"][0]())
    calls = await village.nc.jetstream().pull_subscribe(
        f"cases.{village.site}.*.*", durable=f"calls-{village.site}", stream=CASES
    )
    for commit in await calls.fetch(3, timeout=5):
        await commit.ack()
    async with watching(village, nats_settings):
        await appears(village, "waiting.notices")
        await all_told(village, [["over"]] * 4)
        await disappears(village, "waiting.notices")


async def test_rings_go_before_word_that_one_need_not_come(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All over one provider that takes one at a time, and the end of a case is told when another has just begun."""
    monkeypatch.setattr(own_channels, "AT_ONCE", 2)
    busy = village.receivers[0]
    await village.settle([(WebhookPoint(url=busy.url, secret=SECRET),)] * 4)
    known = await village.roster.household(HOUSEHOLD)
    assert known is not None
    await village.roster.put(replace(known, id=HouseholdId("h-2")), by="test")
    ended = await opened(village)
    await settle_up(village, ended)
    busy.answer = busy.hang
    async with watching(village, nats_settings):
        await CaseDesk(village.log).handle(ended, DEEDS["cancelled"][0]())
        await until(lambda: heard(busy, 1), "the first word, which holds the turn")
        other = await village.press(household=HouseholdId("h-2"))
        await village.case_where(other, lambda c: (PersonId("p-3"), "live") in outcomes(c), "rings to wait for a turn")
        busy.released.set()
        await village.finished(other)
        await until(lambda: heard(busy, 8), "every ring and word")
    assert words(village)[0] == ["over", *["called"] * 4, *["over"] * 3]


async def test_who_is_called_again_while_the_word_waits_is_not_told_it_in_the_place_of_the_new_ring(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All over one provider that takes one at a time."""
    monkeypatch.setattr(own_channels, "AT_ONCE", 2)
    busy, last = village.receivers[0], PersonId("p-3")
    await village.settle([(WebhookPoint(url=busy.url, secret=SECRET),)] * 4)
    case_id, desk = await opened(village), CaseDesk(village.log)
    await settle_up(village, case_id)
    busy.answer = busy.hang
    again = PlannedCall(responder=last, reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    async with watching(village, nats_settings):
        await desk.handle(case_id, DEEDS["stood down"][0]())
        await until(lambda: heard(busy, 1), "the first word, which holds the turn")
        await desk.handle(case_id, CallOne(id=CommitId("again"), at=now(), by="operator:wang", call=again))
        busy.released.set()
        await village.finished(case_id)
        await until(lambda: handled(village, CASES, "notices"), "the commits to be dealt with")
    rings = [json.loads(request.body)["data"] for request in busy.requests]
    assert [ring["word"] for ring in rings if ring["responder"] == last] == ["called"]


class Acts:
    """A stand-in that does nothing but note what it was asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self.asked.append(name)


async def test_a_press_that_the_fan_out_leaves_lying_leaves_the_word_to_it(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=1), monkeypatch)
    await everybody_here(village)
    acts, looks = Acts(), await looks_at(village)
    async with on_watch(village, nats_settings, stand_in=cast("StandIn", acts)):
        await village.press()
        await until(lambda: asked(acts, "take_presses"), "the press to be taken")
        await looks.some_more()
    assert "tell" not in acts.asked


async def asked(acts: Acts, what: str) -> bool:
    return what in acts.asked


async def heard(receiver: Receiver, number: int) -> bool:
    return len(receiver.requests) >= number
