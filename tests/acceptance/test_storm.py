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
from tests.stories import County, Phones
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
