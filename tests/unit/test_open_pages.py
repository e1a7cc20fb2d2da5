"""Whose open page is asked for: nobody is passed over whose page may be open."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from nats.aio.msg import Msg

from dispatch.events import OpenPages, open_pages_subject
from dispatch.fanout.channels import LiveSender, Sent
from dispatch.fanout.open_pages import FORGOTTEN_SECONDS, SURE_SECONDS, MayHavePage
from dispatch.identifiers import PersonId
from tests.rings import ring

ANNA, BO, CHEN = map(PersonId, ("p-1", "p-2", "p-3"))


class House:
    """A connection on which `say` says what is open where, and a clock."""

    def __init__(self) -> None:
        self.stats, self.is_connected, self.time = {"reconnects": 0}, True, 1000.0
        self.may_have_page = MayHavePage(cast("Any", self), "s", clock=lambda: self.time)
        self._hear: Any = None

    async def subscribe(self, subject: str, *, cb: Any, **_limits: int) -> Any:
        assert subject == open_pages_subject("s")
        self._hear = cb
        return self

    async def unsubscribe(self) -> None:
        self._hear = None

    async def say(self, at: str, *people: PersonId, more: bool = False) -> None:
        await self.hear(msgspec.json.encode(OpenPages(at=at, people=frozenset(people), more=more)))

    async def hear(self, data: bytes) -> None:
        await self._hear(Msg(_client=cast("Any", self), data=data))

    def asked(self) -> set[PersonId]:
        return {person for person in (ANNA, BO, CHEN) if self.may_have_page(person)}


EVERYBODY = {ANNA, BO, CHEN}


@pytest.fixture
async def house() -> Any:
    """One that has listened for long enough, and heard of a `serve` where Anna has a page open."""
    house = House()
    async with house.may_have_page.listening():
        house.time += SURE_SECONDS
        await house.say("one", ANNA)
        yield house


async def test_who_has_no_page_open_is_not_asked(house: House) -> None:
    assert house.asked() == {ANNA}


async def test_until_every_serve_has_been_heard_everybody_is_asked() -> None:
    house = House()
    async with house.may_have_page.listening():
        await house.say("one", ANNA)
        house.time += SURE_SECONDS - 0.1
        await house.say("one", ANNA)
        assert house.asked() == EVERYBODY
        house.time += 0.1
        assert house.asked() == {ANNA}


async def test_where_no_serve_says_anything_everybody_is_asked(house: House) -> None:
    house.time += SURE_SECONDS
    assert house.asked() == EVERYBODY


async def test_where_nobody_says_all_of_it_everybody_is_asked(house: House) -> None:
    house.time += SURE_SECONDS
    await house.say("one", BO, more=True)
    await house.say("two", CHEN, more=True)
    assert house.asked() == EVERYBODY


async def test_after_a_break_of_the_connection_everybody_is_asked_again(house: House) -> None:
    house.is_connected = False
    assert house.asked() == EVERYBODY
    house.is_connected, house.stats["reconnects"] = True, 1
    await house.say("one", ANNA)
    assert house.asked() == EVERYBODY
    house.time += SURE_SECONDS
    await house.say("one", ANNA)
    assert house.asked() == {ANNA}


async def test_a_page_that_opens_is_one_more_and_one_that_has_closed_is_none(house: House) -> None:
    await house.say("one", BO, more=True)
    assert house.asked() == {ANNA, BO}
    await house.say("one", BO)
    assert house.asked() == {BO}


async def test_pages_of_several_serves_count_also_of_one_that_is_stalled(house: House) -> None:
    await house.say("two", BO)
    for _ in range(10):
        house.time += SURE_SECONDS
        await house.say("two", BO)
    assert house.asked() == {ANNA, BO}
    house.time += FORGOTTEN_SECONDS
    await house.say("two", BO)
    assert house.asked() == {BO}


async def test_what_cannot_be_read_changes_nothing(house: House) -> None:
    for rubbish in (b"", b"[]", b'{"at": 1, "people": []}', b'{"at": "one", "people": "p-2"}', b'{"at": "\xff"}'):
        await house.hear(rubbish)
    assert house.asked() == {ANNA}


async def test_who_is_not_asked_has_no_page_open(house: House) -> None:
    """The connection has no `publish`: a question to anybody fails."""
    said: list[Sent] = []
    sender = LiveSender(cast("Any", house), "s", may_have_page=lambda _: False)
    await sender.send_all([ring()], lambda _, sent: said.append(sent))
    assert said == [Sent("failed", "no open page")]
