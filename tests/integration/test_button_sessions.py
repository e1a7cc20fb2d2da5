"""What buttons leave behind in a real nats-server when they go: it is bounded, and no button misses it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig
from pydantic import SecretStr

from dispatch.access import Tokens
from dispatch.app import _button_parts, backbone
from dispatch.clock import Clock, now
from dispatch.embedded import EmbeddedNats
from dispatch.errors import SetupError, Unavailable
from dispatch.events import answer_subject, connect, ensure_streams
from dispatch.identifiers import Site
from dispatch.intake import IntakeDesk, Sessions, sessions
from dispatch.intake.clean_session import CleanSession
from dispatch.intake.sessions import OLD, STREAM
from dispatch.settings import Settings
from tests.buttons import Button, gate, needs_mosquitto
from tests.system import free_port
from tests.waiting import until

pytestmark = [pytest.mark.embedded, needs_mosquitto]

SITE = "county"
MESSAGES = "$MQTT_msgs"
DEFAULT_MOST = 1000
"""How many consumers nats-server admits for a stream by itself."""


class Server:
    """A nats-server with a gate, and a button's token for it."""

    def __init__(self, nats: EmbeddedNats, nc: Client, secret: str) -> None:
        self.nc, self.js, self._nats, self._secret = nc, nc.jetstream(), nats, secret

    def button(self, client: str) -> Button:
        return Button(self._nats.mqtt_port, SITE, "h-1", self._secret, client=client, keeps_session=True)

    def settings(self) -> Settings:
        """Those that `dispatch up` gives `serve`, as to buttons."""
        nats = self._nats
        seed = SecretStr(nats.auth_callout_seed)
        return Settings(site=Site(SITE), nats_url=nats.url, auth_callout_seed=seed, mqtt_url=SecretStr(nats.mqtt_url))

    async def leave(self, *clients: str) -> None:
        """Each connects, hears, and goes."""
        for client in clients:
            async with self.button(client):
                pass

    async def hears(self, button: Button) -> bool:
        await self.nc.publish(answer_subject(SITE, "h-1"), b'{"press_id": "a1"}')
        answer: str = (await button.answer())["press_id"]
        return answer == "a1"

    async def sessions(self) -> int:
        return (await self.js.stream_info(STREAM)).state.messages

    async def consumers(self) -> int:
        return (await self.js.stream_info(MESSAGES)).state.consumer_count

    def files(self) -> int:
        return sum(len(files) for _, _, files in os.walk(self._nats.folder / "nats"))

    async def discard(self, at: datetime) -> int:
        """Discard what is old `at` that time."""
        return await self.discard_old(lambda: at)

    async def discard_old(self, clock: Clock) -> int:
        return await Sessions(self.nc, self._nats.mqtt_url, clock).discard_old()


@pytest.fixture
async def server(fresh_nats: EmbeddedNats) -> AsyncIterator[Server]:
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    secret = (await Tokens(nc, SITE).issue("device", "h-1")).secret
    async with gate(nc, SITE, fresh_nats.auth_callout_seed):
        yield Server(fresh_nats, nc, secret)
    await nc.close()


async def test_a_new_client_id_for_each_connection_leaves_nothing_for_good(server: Server) -> None:
    await server.leave("first")
    await until(lambda: _no_consumers(server), "the first to be forgotten")
    files = server.files()

    await asyncio.gather(*(server.leave(f"{one}-1", f"{one}-2") for one in range(10)))
    assert await server.sessions() == 21
    await until(lambda: _no_consumers(server), "consumers of those that are away to go")
    assert server.files() == files, "a record each, in one file"
    assert await server.discard(now() + OLD) == 21
    await until(lambda: _sessions(server, 0), "the last to go")
    assert await server.discard(now() + OLD) == 0


async def test_who_signed_in_lately_keeps_the_session_and_the_connection(server: Server) -> None:
    await server.leave("gone")
    then = now()
    async with server.button("staying") as button:
        await server.leave("lately")
        assert await server.discard(now()) == 0, "none is old"
        assert await server.discard(then + OLD) == 1
        await until(lambda: _sessions(server, 2), "the one that is gone to go")
        assert await server.hears(button)


async def test_who_signs_in_during_a_look_is_not_old_in_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    await server.leave("gone")
    discard = CleanSession.discard

    async def beside_a_new_one(self: CleanSession, client: str) -> None:
        await discard(self, client)
        if client.startswith("gone"):
            await server.leave("new")

    monkeypatch.setattr(CleanSession, "discard", beside_a_new_one)
    assert await server.discard_old(lambda: now() + OLD) == 1
    await until(lambda: _sessions(server, 1), "only the new one to be there")


async def test_a_button_that_was_away_for_long_presses_and_hears_when_it_is_back(server: Server) -> None:
    button = server.button("kitchen")
    assert not await button.press({"press_id": "a0"})
    await server.leave("kitchen")
    await until(lambda: _no_consumers(server), "its consumer to go")
    async with button:
        assert await server.hears(button), "its session is there, without a consumer"

    await server.discard(now() + OLD)
    assert not await button.press({"press_id": "a1"}), "signing in goes at the first try"
    async with button:
        assert await server.hears(button), "its session is not there any more"


async def test_more_buttons_hear_than_the_server_admits_consumers_by_itself(server: Server) -> None:
    async with server.button("first"):
        for some in range(1, DEFAULT_MOST, 111):
            await asyncio.gather(*(_add_consumer(server, number) for number in range(some, some + 111)))
        assert await server.consumers() == DEFAULT_MOST
        async with server.button("one-more") as button:
            assert await server.hears(button)


@pytest.mark.parametrize("url", ["tls://a:b@127.0.0.1:1", "mqtt://a:b@127.0.0.1:x", "127.0.0.1:1883"])
def test_an_address_that_is_none_is_said_at_the_start(url: str) -> None:
    with pytest.raises(SetupError, match="DISPATCH_MQTT_URL"):
        CleanSession(url)


async def test_what_cannot_be_discarded_now_stays_for_later(fresh_nats: EmbeddedNats) -> None:
    for wrong in (f"mqtt://a:b@127.0.0.1:{free_port()}", f"mqtt://dispatch:guess@127.0.0.1:{fresh_nats.mqtt_port}"):
        with pytest.raises(Unavailable):
            await CleanSession(wrong).discard("kitchen")


async def test_serve_looks_for_old_ones_again_and_again_also_after_a_look_that_failed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    async def failed(_: Sessions) -> int:
        looks.append("failed")
        raise Unavailable("MQTT is away")

    monkeypatch.setattr(sessions, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Sessions, "discard_old", failed)
    settings = server.settings()
    async with backbone(settings, "serve") as base, asyncio.TaskGroup() as group:
        parts = _button_parts(base, settings, IntakeDesk(base.nc, settings.site).strain)
        (part,) = (part for part in parts if isinstance(part, Sessions))
        looking = group.create_task(part.run())
        await until(lambda: _are(looks, 3), "it to look a third time")
        looking.cancel()


async def _are(looks: list[str], least: int) -> bool:
    return len(looks) >= least


async def _no_consumers(server: Server) -> bool:
    return await server.consumers() == 0


async def _sessions(server: Server, number: int) -> bool:
    """Whether there are so many. The server takes the record of a clean session away after it has closed."""
    return await server.sessions() == number


async def _add_consumer(server: Server, number: int) -> None:
    config = ConsumerConfig(durable_name=f"c{number}", ack_policy=AckPolicy.EXPLICIT, mem_storage=True)
    await server.js.add_consumer(MESSAGES, config)
