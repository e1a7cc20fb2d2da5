"""Somebody is not reached, and their next channel rings; and 110 takes a case over.

Where nothing is said of it, the policy is that which every village has: the next channel follows after 15 s without
word of delivery, and everybody is rung again after 45 s.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from dispatch.events import FellBack, PolicyStep, Quorum, Role, Target
from dispatch.identifiers import AreaId, CaseId, PersonId, PostId
from dispatch.roster import ApprisePoint, ContactPoint, Duty, EscalationPolicy, Person, Post
from tests.live import LiveSystem
from tests.messengers import Messenger, messenger
from tests.phones import Phone
from tests.receivers import Receiver, raw_server, receiving, status
from tests.stories import LEADER_NEXT_DOOR, County, Phones, answer
from tests.system import until
from tests.the_clock import TheClock

VILLAGE, TOWN = AreaId("maozhou"), AreaId("gonghe")
CENTRE = PersonId("c-110")
HOUR = 3600


@dataclass
class Reachable:
    """Somebody with three contact points: Web Push, then a topic of ntfy, then the webhook that is their phone."""

    id: PersonId
    push: Receiver
    ntfy: Messenger
    phone: Phone = field(default_factory=Phone)
    expected: tuple[int, int] = (0, 0)

    @property
    def topic(self) -> str:
        return f"topic-{self.id}"

    def words(self) -> list[str]:
        """What each push said: called, stood_down or over."""
        return [json.loads(self.phone.decrypt(request.body))["word"] for request in self.push.requests]

    def rung(self) -> tuple[int, int]:
        """How often push and the messenger rang; word that one need not come makes no sound."""
        topics = [message for message in self.ntfy.messages if message.to == self.topic and message.urgent]
        return self.words().count("called"), len(topics)


@dataclass
class Two:
    """The leader and a member of the group, who are called over more than a webhook; and everybody else's phone."""

    first: Reachable
    second: Reachable
    phones: Phones

    @property
    def both(self) -> set[PersonId]:
        return {self.first.id, self.second.id}

    @property
    def others(self) -> frozenset[PersonId]:
        """Those of the group who have but a webhook."""
        return self.phones.group - self.both

    async def ring(self, person: Reachable, push: int, topic: int) -> None:
        """Wait until push and the messenger of `person` rang so often in all, and see that nothing rings besides."""
        person.expected = (push, topic)

        async def so() -> bool:
            return person.rung() == person.expected

        try:
            await until(so, f"{person.id} to be rung as they should")
        finally:
            assert person.rung() == person.expected
        await self.are_silent()

    async def are_silent(self) -> None:
        await self.phones.are_silent()
        self.are_as_told()

    def are_as_told(self) -> None:
        for person in (self.first, self.second):
            assert person.rung() == person.expected, person.id


@pytest.fixture
async def two(live_system: LiveSystem, county: County, phones: Phones) -> AsyncIterator[Two]:
    """Nothing of theirs may have rung in the end that the story did not expect to."""
    roster = live_system.system.roster
    people = await roster.people([PersonId(live_system.subject(who)) for who in ("leader", "neighbour")])
    async with AsyncExitStack() as stack:
        ntfy = await stack.enter_async_context(messenger())
        made = []
        for person in people.values():
            push = await stack.enter_async_context(receiving(status(201)))
            one = Reachable(person.id, push, ntfy)
            points: tuple[ContactPoint, ...] = (
                one.phone.subscription(push.url),
                ApprisePoint(url=f"ntfy://{ntfy.host}/{one.topic}"),
                phones.point(person.id),
            )
            await roster.put(replace(person, contact_points=points), by="test")
            made.append(one)
        two = Two(made[0], made[1], phones)
        yield two
        await county.close_all()  # while there is somebody who can be told
        await two.are_silent()


async def agree(
    live: LiveSystem, *, quorum: int = 9, then: Target = "again", within: int = HOUR, last: int = HOUR
) -> None:
    roster = live.system.roster
    area = (await roster.areas([VILLAGE]))[VILLAGE]
    steps = (
        PolicyStep(call=("group", "officers"), within_seconds=within),
        PolicyStep(call=(then,), within_seconds=last),
    )
    policy = EscalationPolicy(name="story", quorum=Quorum(anyone=quorum), steps=steps)
    await roster.put(replace(area, policies=(policy,)), by="test")


async def fell_back(live: LiveSystem, case: CaseId) -> list[tuple[str, str, str]]:
    events = [event for commit in await live.log.load(case) for event in commit.events]
    calls = [call for event in events if isinstance(event, FellBack) for call in event.calls]
    return [(call.responder, call.channel, call.because) for call in calls]


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


async def test_a_provider_that_hangs_costs_nobody_else_a_moment(live_system: LiveSystem, two: Two) -> None:
    hangs, well = two.first, two.second
    hangs.push.answer = hangs.push.hang
    await live_system.press()

    async def rung() -> bool:
        return two.phones.rung().keys() == two.others and (hangs.rung(), well.rung()) == ((1, 0), (1, 0))

    await until(rung, "everybody to be rung while one of them is still being tried")
    assert not hangs.push.released.is_set()
    hangs.push.released.set()
    hangs.expected = well.expected = (1, 0)
    await two.phones.ring(two.others)


async def test_a_provider_that_throttles_is_left_alone_and_costs_nobody_else_a_moment(
    live_system: LiveSystem, two: Two
) -> None:
    """It asks not to be called for an hour, and the next channel rings at once."""
    throttles, well = two.first, two.second
    throttles.push.answer = status(429, headers={"Retry-After": "3600"})
    well.expected = (1, 0)
    case = await live_system.press()
    await two.phones.ring(two.others)
    await two.ring(throttles, 1, 1)
    assert await fell_back(live_system, case) == [(throttles.id, "apprise", "failed")]
    known = (await live_system.case(case)).calls[0, throttles.id].outcomes["webpush"]
    assert "HTTP 429" in str(known.reason)


async def test_who_has_but_one_provider_and_it_throttles_is_rung_when_it_takes_calls_again(
    live_system: LiveSystem, two: Two
) -> None:
    two.second.expected = (1, 0)
    only, roster = two.first, live_system.system.roster
    person = (await roster.people([only.id]))[only.id]
    await roster.put(replace(person, contact_points=person.contact_points[:1]), by="test")
    only.push.answer = status(429, 201, headers={"Retry-After": "1"})
    await live_system.press()
    await two.phones.ring(two.others)
    await two.ring(only, 2, 0)
    refused, taken = (request.at for request in only.push.requests)
    assert taken - refused >= 1
    assert all(request.at < taken for person in two.others for request in two.phones.requests(person))


async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff nonsense\r\n\r\n")


async def test_a_provider_that_answers_nonsense_costs_nobody_else_a_moment(live_system: LiveSystem, two: Two) -> None:
    """What it says is no answer, and the next channel rings at once."""
    told, well = two.first, two.second
    well.expected = (1, 0)
    async with raw_server(nonsense) as url:
        roster = live_system.system.roster
        person = (await roster.people([told.id]))[told.id]
        points = (told.phone.subscription(url), *person.contact_points[1:])
        await roster.put(replace(person, contact_points=points), by="test")
        case = await live_system.press()
        await two.phones.ring(two.others)
        await two.ring(told, 0, 1)
        assert await fell_back(live_system, case) == [(told.id, "apprise", "failed")]
        known = (await live_system.case(case)).calls[0, told.id].outcomes["webpush"]
        assert "no proper answer" in str(known.reason)


async def test_a_case_is_handed_over_to_110(live_system: LiveSystem, two: Two, the_clock: TheClock) -> None:
    two.first.expected = two.second.expected = (1, 0)
    case = await live_system.press(kind="intrusion")
    await two.phones.ring(two.others)
    status_, shown = await live_system.call("operator", "POST", f"/v1/cases/{case}/hand-over", {})
    assert status_ == 200
    assert any("telephone 110 yourself" in gap["reason"] for gap in shown["gaps"])  # type: ignore[attr-defined]
    await post_of_110(live_system, two)
    status_, _ = await live_system.call("operator", "POST", f"/v1/cases/{case}/hand-over", {"again": True})
    assert status_ == 200
    await two.phones.ring({CENTRE})
    (message,) = two.first.ntfy.messages
    assert message.to == "centre"
    assert "移交110：入室" in message.body
    _, view = await live_system.call("operator", "GET", f"/v1/cases/{case}")
    assert view["status"] == "raised", "it stays open until it is closed"
    assert view["handed_over"]["reached"] is True  # type: ignore[index]
    await the_clock.moves(14)
    await two.are_silent()


async def test_the_policy_hands_a_case_over_to_110_once(live_system: LiveSystem, two: Two, the_clock: TheClock) -> None:
    await agree(live_system, then="hand_over", within=10, last=60)
    await post_of_110(live_system, two)
    two.first.expected = two.second.expected = (1, 0)
    case = await live_system.press()
    await two.phones.ring(two.others)
    await the_clock.moves(10)
    await two.phones.ring({CENTRE})
    handed = (await live_system.case(case)).handed_over
    assert handed is not None
    assert (handed.by, handed.to) == ("system", (CENTRE,))
    two.first.expected = two.second.expected = (1, 1)
    await the_clock.moves(HOUR)
    await two.phones.ring(two.both)
    assert [message.to for message in two.first.ntfy.messages].count("centre") == 1


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


async def post_of_110(live: LiveSystem, two: Two) -> None:
    points = (two.phones.point(CENTRE), ApprisePoint(url=f"ntfy://{two.first.ntfy.host}/centre"))
    await stand_at(live, "emergency_centre", Person(id=CENTRE, name="110 值班", contact_points=points))


async def stand_at(live: LiveSystem, role: Role, person: Person) -> None:
    """Put `person` on duty at a post of the town with this role."""
    roster = live.system.roster
    await roster.put(person, by="test")
    post = Post(id=PostId("x110"), area=TOWN, role=role, name="值班室", duty=(Duty(person=person.id),))
    await roster.put(post, by="test")
