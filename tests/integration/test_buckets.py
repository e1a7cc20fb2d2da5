"""What a bucket holds is read to its end, on a real nats-server: nothing is missing because it came a little late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import KeyValueConfig
from nats.js.kv import KeyValue

from dispatch.access import Tokens
from dispatch.clock import now
from dispatch.drills import Drill, DrillBook
from dispatch.errors import Unavailable
from dispatch.events import as_read, buckets, latest
from dispatch.identifiers import AreaId, GroupId, HouseholdId, Site
from dispatch.roster import Group, Roster
from tests.waiting import until


@pytest.fixture
async def bucket(nc: Client, site: Site) -> AsyncIterator[KeyValue]:
    js = nc.jetstream()
    yield await js.create_key_value(KeyValueConfig(bucket=str(site), history=1))
    await js.delete_key_value(str(site))


async def held(nc: Client, bucket: KeyValue, keys: str = ">") -> dict[str, bytes]:
    return {key: message.data async for key, message in latest(nc, str(bucket._name), keys)}


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 15, 16, 17])
async def test_every_value_that_is_there_and_none_that_was(
    nc: Client, bucket: KeyValue, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "AT_ONCE", 8)
    await bucket.put("gone.1", b"x")
    await asyncio.gather(*(bucket.put(f"here.{number}", b"old") for number in range(count)))
    await asyncio.gather(*(bucket.put(f"here.{number}", str(number).encode()) for number in range(count)))
    await bucket.delete("gone.1")
    expected = {f"here.{number}": str(number).encode() for number in range(count)}
    assert await held(nc, bucket) == expected
    assert await held(nc, bucket, "gone.*") == {}


async def test_what_is_answered_late_is_waited_for(nc: Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the server's answers to requests had overtaken all that it had sent before, and a group was not there."""
    area, at = AreaId("v-1"), now()
    roster, tokens, drills = Roster(nc, site), Tokens(nc, site), DrillBook(nc, site)
    await roster.put(Group(id=GroupId("g-1"), name="一组", area=area, members=()), by="test")
    await tokens.issue("operator", "li", label="test")
    until = at + timedelta(minutes=5)
    await drills.begin(Drill(id="d-1", by="li", at=at, until=until, kind="fire", households=(HouseholdId("h-1"),)))
    as_it_comes, loop = Client._process_msg, asyncio.get_running_loop()

    async def overtaken(client: Client, sid: int, subject: bytes, *message: bytes) -> None:
        if subject.startswith(bytes(client._resp_sub_prefix or b"?")):
            await as_it_comes(client, sid, subject, *message)
        else:
            loop.call_later(0.2, lambda: asyncio.ensure_future(as_it_comes(client, sid, subject, *message)))

    monkeypatch.setattr(Client, "_process_msg", overtaken)
    assert [document.id async for document in roster.all("group")] == ["g-1"]
    assert [token.principal.subject for token in await tokens.list()] == ["li"]
    assert [drill.id for drill in await drills.all()] == ["d-1"]


async def test_no_bucket_is_not_an_empty_one(nc: Client) -> None:
    with pytest.raises(Unavailable, match="nowhere"):
        [key async for key, _ in latest(nc, "nowhere", ">")]


async def test_a_key_that_changes_while_it_is_read_comes_once_and_as_it_is(
    nc: Client, bucket: KeyValue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose old word nobody will ever be sent, because it was written anew before its turn."""
    monkeypatch.setattr(buckets, "AT_ONCE", 8)
    for number in range(20):
        await bucket.put(f"k.{number}", b"old")
    monkeypatch.setattr(buckets, "_page", after_a_page(changes := Changes(bucket)))
    came = [(key, message.data) async for key, message in latest(nc, str(bucket._name), ">")]
    assert changes.are_made
    assert came == [*((f"k.{number}", b"old") for number in range(8, 19)), *((key, b"new") for key in changes.ANEW)]


class Changes:
    """What is written when one page of a bucket was read."""

    ANEW = ("k.0", *(f"k.{number}" for number in range(2, 8)), "k.20", "k.19")

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket, self.are_made = bucket, False

    async def make(self) -> None:
        if not self.are_made:
            await self._bucket.delete("k.1")
            for key in self.ANEW:
                await self._bucket.put(key, b"new")
            self.are_made = True


def after_a_page(changes: Changes) -> Callable[[Client, str], Awaitable[list[Msg]]]:
    page = buckets._page

    async def read(nc: Client, subject: str) -> list[Msg]:
        came = await page(nc, subject)
        await changes.make()
        return came

    return read


@pytest.mark.parametrize("count", [1, 8, 12])
async def test_the_end_of_a_reading_that_is_lost_is_noticed(
    nc: Client, bucket: KeyValue, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "AT_ONCE", 8)
    for number in range(count):
        await bucket.put(f"k.{number}", b"x")
    as_it_comes = Client._process_msg

    async def but_the_last(client: Client, sid: int, subject: bytes, *message: bytes) -> None:
        if not subject.endswith(f"k.{count - 1}".encode()):
            await as_it_comes(client, sid, subject, *message)

    monkeypatch.setattr(buckets, "ANSWER_SECONDS", 1.0)  # a page that was to be full is waited for as long
    monkeypatch.setattr(Client, "_process_msg", but_the_last)
    with pytest.raises(Unavailable):
        await held(nc, bucket)


async def test_a_reading_leaves_nothing_behind_even_one_that_is_given_up(nc: Client, bucket: KeyValue) -> None:
    await bucket.put("k.1", b"x")
    await bucket.put("k.2", b"x")

    async def nothing() -> bool:
        return not await nc.jetstream().consumers_info(f"KV_{bucket._name}")

    assert len(await held(nc, bucket)) == 2
    await until(nothing, "the reading to be forgotten")
    async with aclosing(as_read(nc, str(bucket._name), ">")) as words:
        assert (await anext(words))[0] == "k.1"
        assert not await nothing()
    await until(nothing, "the reading that was given up to be forgotten")
