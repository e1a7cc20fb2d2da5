"""A provider that hangs, throttles or answers nonsense costs nobody else a moment."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from tests.live import LiveSystem
from tests.receivers import raw_server, status
from tests.several_channels import Two, fell_back
from tests.waiting import until


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
