"""The fan-out is away: the watchdog takes what lies in its place."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from nats.aio.msg import Msg

from dispatch.cases import (
    CaseDesk,
    RaiseAlarm,
)
from dispatch.clock import now
from dispatch.drills import Drill, DrillBook, case_of
from dispatch.errors import Unavailable
from dispatch.events import (
    CASES,
    INTAKE,
    Press,
    decode_press,
    work_consumer,
)
from dispatch.fanout import work
from dispatch.fanout.directory import Directory
from dispatch.fanout.drills import Drills
from dispatch.fanout.presses import Presses
from dispatch.fanout.rubbish import tell_rubbish
from dispatch.fanout.turns import Turns
from dispatch.fanout.untaken import Untaken
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId, PressId
from dispatch.roster import Household, Roster
from dispatch.settings import Settings
from tests.standing_in import (
    handled,
    watching,
)
from tests.village import HOUSEHOLD, Village
from tests.waiting import until
from tests.workers import working


async def test_a_drill_whose_time_is_over_is_ended(village: Village, nats_settings: Settings) -> None:
    at = now()
    drill = Drill(id="d-1", by="op", at=at, until=at + timedelta(seconds=2), kind="help", households=(HOUSEHOLD,))
    await DrillBook(village.nc, village.site).begin(drill)
    press = Press(
        press=PressId(drill.id),
        household=HOUSEHOLD,
        device=f"drill:{drill.id}",
        source="http",
        pressed_at=at,
        drill=True,
    )
    alarm = RaiseAlarm(id=CommitId("press"), at=at, accepted_at=at, press=press)
    case_id = (await CaseDesk(village.log).press(alarm, village.plan)).case.id
    assert case_id == case_of(drill.id, HOUSEHOLD)
    async with watching(village, nats_settings):
        await village.case_where(case_id, lambda case: not case.is_open, "the drill to be over")


async def test_a_press_that_nobody_takes_becomes_a_case_and_rings_once(
    village: Village, nats_settings: Settings
) -> None:
    pressed = await village.nc.jetstream().pull_subscribe(
        f"intake.press.{village.site}.*", durable=f"test-{village.site}", stream=INTAKE
    )
    async with watching(village, nats_settings):
        case = await village.finished(await village.press())
        (message,) = await pressed.fetch(1, timeout=5)
        press = decode_press(message.subject, message.headers, message.data, message.metadata.timestamp)
        as_the_fan_out = f"press-{press.press}-{message.metadata.timestamp.timestamp():.6f}"
        assert as_the_fan_out in case.commits
        async with working(village, nats_settings):
            await until(lambda: handled(village, INTAKE, "fanout"), "the press")
            await until(lambda: handled(village, CASES, "calls"), "the calls")
    after = await village.case(case.id)
    assert (after.presses, len(after.calls)) == (case.presses, 4)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_what_a_fan_out_had_in_hand_when_it_died_is_taken_and_what_it_had_done_is_not(
    village: Village, nats_settings: Settings
) -> None:
    for number in (2, 3):
        home = Household(
            id=HouseholdId(f"h-{number}"), name="王家", address="14 号", area=AreaId("a-1"), group=GroupId("g-1")
        )
        await village.roster.put(home, by="test")
    done = await village.press()
    config = work_consumer(
        f"fanout-{village.site}", f"intake.press.{village.site}.*", ack_wait=work.ACK_WAIT, max_ack_pending=16
    )
    await village.nc.jetstream().add_consumer(INTAKE, config)
    dead = await village.nc.jetstream().pull_subscribe_bind(f"fanout-{village.site}", stream=INTAKE)
    in_hand = await village.press(household=HouseholdId("h-2"))
    first, _ = await dead.fetch(2, timeout=5)
    await first.ack_sync()  # and there is no case of it: whatever it was, it was dealt with
    behind = await village.press(household=HouseholdId("h-3"))
    async with watching(village, nats_settings):
        await village.finished(in_hand)
        await village.finished(behind)
    assert (await village.case(done)).raised is None
    assert [len(rings) for rings in village.rings()] == [2, 2, 2, 2]


async def test_of_a_fan_out_and_a_watchdog_that_take_a_press_in_the_same_moment_one_opens_the_case(
    village: Village,
) -> None:
    both = asyncio.Barrier(2)

    class Together(Roster):
        """Lets nobody read before both have looked whether there is a case."""

        async def household(self, household: HouseholdId) -> Household | None:
            await both.wait()
            return await super().household(household)

    pressed = await village.nc.jetstream().pull_subscribe(
        f"intake.press.{village.site}.*", durable=f"test-{village.site}", stream=INTAKE
    )
    case_id = await village.press()
    (message,) = await pressed.fetch(1, timeout=5)

    def presses() -> Presses:
        desk = CaseDesk(village.log)
        return Presses(
            desk,
            directory=Directory(Together(village.nc, village.site)),
            turns=Turns(1),
            drills=Drills(village.nc, village.site, desk),
            tell_rubbish=partial(tell_rubbish, village.nc, village.site),
        )

    untaken = Untaken(village.nc, village.site, presses())
    async with asyncio.timeout(20):
        await asyncio.gather(presses().handle(message), untaken.take(0, now() + timedelta(seconds=5)))
    commits = await village.log.load(case_id)
    assert [len(commit.events) for commit in commits] == [3], "one commit: the alarm, its policy and the calls"


async def test_what_is_no_press_is_left_to_the_fan_out_and_stops_no_other(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bytes] = []
    taking = Presses.handle

    async def counted(self: Presses, message: Msg) -> None:
        tried.append(message.data)
        await taking(self, message)

    monkeypatch.setattr(Presses, "handle", counted)
    await village.nc.jetstream().publish(f"intake.press.{village.site}.h-1", b"{")
    async with watching(village, nats_settings):
        await village.finished(await village.press())
        later = await village.press(household=HouseholdId("h-9"))
        await village.case_where(later, lambda case: case.raised is not None, "a press that came later")
    assert tried.count(b"{") == 1


async def test_a_press_that_cannot_be_taken_now_is_taken_later(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0
    taking = Presses.handle

    async def later(self: Presses, message: Msg) -> None:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise Unavailable("a message server that changes its leader")
        await taking(self, message)

    monkeypatch.setattr(Presses, "handle", later)
    async with watching(village, nats_settings):
        await village.finished(await village.press())
    assert tried == 2, "once it is taken it is left alone"
