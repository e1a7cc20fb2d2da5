"""Somebody is not reached, and their next channel rings.

Where nothing is said of it, the policy is that which every village has: the next channel follows after 15 s without
word of delivery, and everybody is rung again after 45 s.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from dispatch.identifiers import PersonId
from dispatch.roster import ApprisePoint, Person
from tests.live import LiveSystem
from tests.phones import Phone
from tests.receivers import receiving, status
from tests.several_channels import CENTRE, VILLAGE, Two, agree, fell_back, stand_at
from tests.stories import LEADER_NEXT_DOOR, answer
from tests.the_clock import TheClock


async def test_push_is_dead_and_the_messenger_follows_at_once(
    live_system: LiveSystem, two: Two, the_clock: TheClock
) -> None:
    dead, well = two.first, two.second
    dead.push.answer = status(410)
    well.expected = (1, 0)
    case = await live_system.press(kind="fire")
    await two.phones.ring(two.others)
    await two.ring(dead, 1, 1)
    assert await fell_back(live_system, case) == [(dead.id, "apprise", "failed")]
    (message,) = dead.ntfy.messages
    assert message.urgent
    assert message.title.startswith("火警")
    assert unquote(message.link or "") in message.body
    await the_clock.moves(14)
    await two.are_silent()


async def test_an_expired_push_is_not_tried_again_and_shows_among_those_who_cannot_be_reached(
    live_system: LiveSystem, two: Two, the_clock: TheClock
) -> None:
    dead, well = two.first, two.second
    dead.push.answer = status(410)
    well.expected = (1, 0)
    await live_system.press()
    await two.phones.ring(two.others)
    await two.ring(dead, 1, 1)
    (point, *_) = (await live_system.system.roster.people([dead.id]))[dead.id].contact_points
    assert point.retired is not None
    reachable: Any = (await live_system.call("operator", "GET", f"/v1/reachability?area={VILLAGE}"))[1]
    people = {person["person"]: person for group in reachable["groups"] for person in group["people"]}
    assert point.retired in str(people[dead.id])
    assert point.retired not in str(people[well.id])
    await the_clock.moves(15)
    await two.phones.ring({dead.id})
    await two.ring(well, 1, 1)
    well.expected, dead.expected = (2, 2), (1, 2)
    await the_clock.moves(30)  # 45 s in all: everybody is called again, over everything they still have
    await two.phones.ring(two.phones.group, {well.id}, {LEADER_NEXT_DOOR})


async def test_the_messenger_is_dead_too_and_the_last_follows_at_once(live_system: LiveSystem, two: Two) -> None:
    dead, well = two.first, two.second
    dead.push.answer, dead.ntfy.refuse = status(404), 403
    dead.expected, well.expected = (1, 0), (1, 0)
    case = await live_system.press()
    await two.phones.ring(two.others, {dead.id})
    assert [reason for _, _, reason in await fell_back(live_system, case)] == ["failed", "failed"]
    done = await live_system.case(case)
    assert done.calls[0, dead.id].outcomes["apprise"].reason == "HTTP 403"


async def test_push_is_taken_and_not_delivered_and_the_next_follows_in_time(
    live_system: LiveSystem, two: Two, the_clock: TheClock
) -> None:
    case = await live_system.press()
    two.first.expected = two.second.expected = (1, 0)
    await two.phones.ring(two.others)
    await the_clock.moves(14)
    await two.are_silent()
    two.first.expected = two.second.expected = (1, 1)
    await the_clock.moves(1)
    await two.are_silent()
    await the_clock.moves(14)
    await two.are_silent()
    await the_clock.moves(1)
    await two.phones.ring(two.both)
    assert {reason for _, _, reason in await fell_back(live_system, case)} == {"not_delivered"}


async def test_who_was_reached_or_has_answered_is_rung_no_further(
    live_system: LiveSystem, two: Two, the_clock: TheClock
) -> None:
    answers, waits = two.first, two.second
    answers.expected = waits.expected = (1, 0)
    case = await live_system.press()
    await two.phones.ring(two.others)
    await answer(live_system, case, answers.id, "cannot")
    waits.expected = (1, 1)
    await the_clock.moves(15)
    await two.are_silent()
    link = await live_system.one_tap(case, waits.id)
    async with live_system.system.http.post(f"{link}/receipt", json={"channel": "apprise", "outcome": "seen"}) as seen:
        assert seen.status == 200
    await the_clock.moves(29)
    await two.are_silent()


async def test_enough_help_and_nobody_is_rung_further(live_system: LiveSystem, two: Two, the_clock: TheClock) -> None:
    coming, other = two.first, two.second
    coming.expected = other.expected = (1, 0)
    case = await live_system.press()
    await two.phones.ring(two.others)
    officer = PersonId(live_system.subject("police"))
    for person in (coming.id, officer):
        await answer(live_system, case, person, "going")
    await two.phones.hear(two.others - {officer}, case, "called", "stood_down")
    await the_clock.moves(60)
    await two.are_silent()
    assert other.words() == ["called", "stood_down"]
    assert coming.words() == ["called"]
    assert await fell_back(live_system, case) == []


async def test_who_is_called_though_it_is_enough_has_a_next_channel_too(live_system: LiveSystem, two: Two) -> None:
    await agree(live_system, quorum=1, then="command_centre")
    ntfy = two.first.ntfy
    async with receiving() as dead_push:
        dead_push.answer = status(410)
        points = (Phone().subscription(dead_push.url), ApprisePoint(url=f"ntfy://{ntfy.host}/centre"))
        await stand_at(live_system, "command_centre", Person(id=CENTRE, name="值班长", contact_points=points))
        two.first.expected = two.second.expected = (1, 0)
        case = await live_system.press()
        await two.phones.ring(two.others)
        officer = PersonId(live_system.subject("police"))
        await answer(live_system, case, officer, "going")
        await two.phones.hear(two.others - {officer}, case, "called", "stood_down")
        status_, view = await live_system.call("operator", "POST", f"/v1/cases/{case}/widen", {})
        assert (status_, view["escalation"]["enough"]) == (200, True)  # type: ignore[index]
        two.first.expected = two.second.expected = (2, 1)  # it is not enough any more, and they are called again
        await two.phones.ring(two.phones.group - {officer})
        assert [message.to for message in ntfy.messages].count("centre") == 1
        assert (CENTRE, "apprise", "failed") in await fell_back(live_system, case)
