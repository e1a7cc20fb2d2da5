"""A storm: whole villages press at once, and who is called first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from dispatch.clock import now
from dispatch.fanout.lanes import LIMITS
from dispatch.identifiers import HouseholdId
from dispatch.roster import ApprisePoint, Household, Person, WebhookPoint, call_list
from tests.live import LiveSystem
from tests.messengers import messenger
from tests.receivers import receiving, status
from tests.slow_messenger import SlowMessenger
from tests.stories import County, Phones, desk_reads, desk_shows, stopped
from tests.the_clock import TheClock
from tests.village import SECRET


async def test_in_a_storm_everybody_is_rung_once_for_each_case(live_system: LiveSystem, phones: Phones) -> None:
    """Every household of the county presses at once. One phone of each group is dead, and delays nobody."""
    roster = live_system.system.roster
    homes = [home for home in [one async for one in roster.all("household")] if isinstance(home, Household)]
    called = {home.id: {one.person.id for one in (await call_list(roster, home.id, now())).called} for home in homes}
    dead = {min(people) for people in called.values()}
    async with receiving(status(503)) as nobody:
        for person in (await roster.people(dead)).values():
            point = WebhookPoint(url=nobody.url, secret=SECRET)
            await roster.put(replace(person, contact_points=(point,)), by="test")
        pressed = await asyncio.gather(
            *(live_system.call("operator", "POST", "/v1/alarms", {"household": home.id}, key=home.id) for home in homes)
        )
        assert {accepted for accepted, _ in pressed} == {202}
        await phones.ring(*(people - dead for people in called.values()))
    assert len(homes) > 20


async def test_first_rings_go_before_repeats_and_stand_downs_and_villages_take_turns(
    live_system: LiveSystem, slow: SlowMessenger
) -> None:
    """A messenger that takes few at a time is busy with repeats when three more households press."""
    cases = [await live_system.press_at(HouseholdId(f"h-000{n}")) for n in range(1, 5)]
    assert await slow.rings(4 * 13) == {"茅州村": 4 * 13}
    slow.hold()
    *repeated, ended = cases
    await asyncio.gather(*(slow.widens(case) for case in repeated))
    await asyncio.gather(slow.ask(ended, "stand-down"), *(slow.press(home) for home in ("h-0009", "h-0010")))
    await slow.press("h-0015")
    begun, repeats = LIMITS["apprise"].at_once // 2, 3 * 14
    assert await slow.rings(begun) == {"茅州村": begun}
    assert await slow.rings(9 + 9) == {"散花村": 9, "有庆村": 9}, "though 散花村 pressed first, and twice"
    assert await slow.rings(9) == {"散花村": 9}
    assert await slow.rings(repeats - begun) == {"茅州村": repeats - begun}
    await slow.stands_down(13)


async def test_while_the_fan_out_hangs_the_desk_says_how_many_presses_wait_and_all_of_them_become_cases(
    live_system: LiveSystem, real_phones: Phones
) -> None:
    """By the real time: how long somebody hangs is no matter of the clock."""
    homes = [HouseholdId(f"h-000{number}") for number in range(1, 7)]
    lists = [await call_list(live_system.system.roster, home, now()) for home in homes]
    called = [{one.person.id for one in of.called} for of in lists]
    async with stopped(live_system, "fanout"):
        pressed = await asyncio.gather(
            *(
                live_system.call("operator", "POST", "/v1/alarms", {"household": home}, key=f"hung-{home}")
                for home in homes
            )
        )
        assert {accepted for accepted, _ in pressed} == {202}
        await desk_reads(live_system, "waiting", "fanout", "按键等待立案：6 个", "presses waiting to become cases: 6")
    for people in called:
        real_phones.may_ring_once_more(people)  # the watchdog may have begun in the fan-out's place
    cases = {await live_system.open_case(home) for home in homes}
    assert len(cases) == len(homes)
    await real_phones.ring(*called)
    await desk_shows(live_system, "waiting", "fanout", no_more=True)


async def test_while_a_provider_is_slow_the_desk_says_how_many_first_rings_wait(
    live_system: LiveSystem, slow: SlowMessenger, the_clock: TheClock
) -> None:
    slow.hold()
    for home in ("h-0001", "h-0009", "h-0015"):
        await slow.press(home)
    people = 13 + 9 + 9
    the_clock.leaps(6)
    await desk_reads(live_system, "backlog", "first-rings", f"3 起警情 {people} 人", f"{people} people in 3 cases")
    await slow.rings(people)
    slow.answer_all()
    await desk_shows(live_system, "backlog", "first-rings", no_more=True)


@pytest.fixture
async def slow(live_system: LiveSystem, county: County, phones: Phones) -> AsyncIterator[SlowMessenger]:
    roster = live_system.system.roster
    async with messenger() as ntfy:
        everybody = [person async for person in roster.all("person") if isinstance(person, Person)]
        for person in everybody:
            points = (ApprisePoint(url=f"ntfy://{ntfy.host}/{person.id}"),)
            await roster.put(replace(person, contact_points=points), by="test")
        given = SlowMessenger(live_system, ntfy)
        yield given
        given.answer_all()
        await phones.are_silent()
        given.are_as_told()
        await county.close_all()  # while there is somebody who can be told
        await phones.are_silent()
