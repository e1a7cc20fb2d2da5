"""One inbox for the answers to many requests, on a real nats-server."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.embedded import EmbeddedNats
from dispatch.events import connect, inbox_of
from tests.waiting import until

pytestmark = pytest.mark.embedded


@pytest.fixture
async def nc(fresh_nats: EmbeddedNats) -> AsyncIterator[Client]:
    client = await connect(fresh_nats.url, "test")
    yield client
    await client.close()


async def ask(nc: Client, subject: str, body: bytes = b"") -> Msg:
    answered: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
    inbox = await inbox_of(nc)
    with inbox.listening(answered.set_result) as reply:
        await nc.publish(subject, body, reply=reply)
        async with asyncio.timeout(10):
            return await answered


async def echo(message: Msg) -> None:
    await message.respond(message.data)


async def test_each_of_many_questions_gets_its_own_answer_and_all_share_a_subscription(nc: Client) -> None:
    await nc.subscribe("echo", cb=echo)
    subscribed = len(nc._subs)
    asked = [str(number).encode() for number in range(200)]
    answers = await asyncio.gather(*(ask(nc, "echo", body) for body in asked))
    assert [answer.data for answer in answers] == asked
    assert len(nc._subs) == subscribed + 1


async def test_that_nobody_is_there_is_an_answer_too(nc: Client) -> None:
    answer = await ask(nc, "nobody")
    assert answer.headers is not None
    assert answer.headers["Status"] == "503"


async def test_an_answer_that_comes_too_late_reaches_nobody_else(nc: Client) -> None:
    asked: list[Msg] = []

    async def keep(message: Msg) -> None:
        asked.append(message)

    async def one() -> bool:
        return len(asked) == 1

    await nc.subscribe("slow", cb=keep)
    await nc.subscribe("echo", cb=echo)
    inbox, heard = await inbox_of(nc), list[Msg]()
    with inbox.listening(heard.append) as reply:
        await nc.publish("slow", b"", reply=reply)
        await until(one, "the question to arrive")
    await asked[0].respond(b"late")
    assert (await ask(nc, "echo", b"mine")).data == b"mine"
    assert not heard


async def test_it_is_there_again_after_the_server_was_killed(nc: Client, fresh_nats: EmbeddedNats) -> None:
    await nc.subscribe("echo", cb=echo)
    assert (await ask(nc, "echo", b"before")).data == b"before"
    await fresh_nats.kill()
    await fresh_nats.start()

    async def connected() -> bool:
        return nc.is_connected

    await until(connected, "the connection to be there again")
    assert (await ask(nc, "echo", b"after")).data == b"after"


async def test_an_inbox_goes_with_its_connection(fresh_nats: EmbeddedNats) -> None:
    client = await connect(fresh_nats.url, "test")
    await inbox_of(client)
    await client.close()
    known = weakref.ref(client)
    del client

    async def gone() -> bool:
        gc.collect()
        return known() is None

    await until(gone, "the connection to be forgotten")
