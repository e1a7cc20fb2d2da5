"""The store of presses is full: who presses is refused loudly, and the desk is told until it takes presses again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy

from dispatch import app
from dispatch.access import Tokens
from dispatch.embedded import EmbeddedNats
from dispatch.events import INTAKE, connect, ensure_streams
from dispatch.intake import passing, strain
from dispatch.settings import Settings
from tests.buttons import Button, needs_mosquitto
from tests.system import free_port
from tests.village import HOUSEHOLD, Village, village_of
from tests.waiting import until
from tests.workers import on_watch, working


class Api:
    """`serve`, and a token for everybody who asks."""

    def __init__(self, http: aiohttp.ClientSession, village: Village) -> None:
        self._http, self._tokens = http, Tokens(village.nc, village.site)
        self.js = village.nc.jetstream()

    async def _as(self, role: Any, subject: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {(await self._tokens.issue(role, subject)).secret}"}

    async def secret(self) -> str:
        """The token of the household's button."""
        return (await self._tokens.issue("device", HOUSEHOLD)).secret

    async def press(self) -> tuple[int, str]:
        async with self._http.post("/v1/alarms", headers=await self._as("device", HOUSEHOLD), json={}) as answer:
            return answer.status, await answer.text()

    async def incidents(self) -> dict[str, str]:
        """What the desk shows as wrong when it is opened, by kind."""
        async with self._http.get("/v1/live", headers=await self._as("operator", "wang")) as stream:
            async for line in stream.content:
                said = json.loads(line.removeprefix(b"data: ")) if line.startswith(b"data: ") else {}
                if "cases" in said:
                    return {one["kind"]: one["detail"] for one in said["incidents"]}
        raise AssertionError("the live stream ended without a snapshot")

    async def tells(self, words: str | None) -> bool:
        """Whether the desk says this of the store of presses, or nothing at all."""
        said = (await self.incidents()).get("intake")
        return said is None if words is None else words in (said or "")

    async def is_up(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with self._http.get("/readyz") as answer:
                return answer.status == 200
        return False


@contextlib.asynccontextmanager
async def serving(village: Village, settings: Settings) -> AsyncIterator[Api]:
    task = asyncio.create_task(app.serve(settings))
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}") as http:
            api = Api(http, village)
            await until(api.is_up, "`serve` to be ready")
            yield api
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def fill(js: JetStreamContext) -> None:
    """Let the stream of presses take no more."""
    info = await js.stream_info(INTAKE)
    full = info.config.evolve(max_msgs=info.state.messages, discard=DiscardPolicy.NEW)
    await js.update_stream(full)


@contextlib.asynccontextmanager
async def desk_of(fresh_nats: EmbeddedNats, dsn: str) -> AsyncIterator[Api]:
    """A village whose NATS is its own, with all that takes presses and watches."""
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    settings = Settings(
        site="s1",
        nats_url=fresh_nats.url,
        postgres_dsn=dsn,
        port=free_port(),
        mqtt_port=fresh_nats.mqtt_port,
        auth_callout_seed=fresh_nats.auth_callout_seed,
    )
    async with (
        village_of(nc, "s1", 1) as village,
        serving(village, settings) as api,
        on_watch(village, settings),
        working(village, settings),
    ):
        yield api
    await nc.close()


@pytest.mark.embedded
async def test_while_the_store_is_full_the_desk_says_how_many_were_refused_and_then_no_more(
    fresh_nats: EmbeddedNats, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk_of(fresh_nats, postgres_dsn) as api:
        assert (await api.press())[0] == 202
        await fill(api.js)
        for _ in range(2):
            status, said = await api.press()
            assert (status, "telephone" in said) == (503, True)
        await until(lambda: api.tells("2 refused"), "the desk to say that two presses were refused", every=0.2)
        await ensure_streams(api.js)
        monkeypatch.setattr(strain, "LATELY_SECONDS", 1.0)  # only now: however long the desk took to be told
        assert (await api.press())[0] == 202
        await until(lambda: api.tells(None), "the desk to say so no more", every=0.2)


@needs_mosquitto
@pytest.mark.embedded
async def test_of_a_press_of_a_button_that_the_full_store_does_not_take_the_desk_is_told_too(
    fresh_nats: EmbeddedNats, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nats-server itself would store it, and says to nobody that it did not."""
    monkeypatch.setattr(passing, "PATIENCE_SECONDS", 2.0)
    async with (
        desk_of(fresh_nats, postgres_dsn) as api,
        Button(fresh_nats.mqtt_port, "s1", HOUSEHOLD, await api.secret()) as button,
    ):
        assert not await button.press({"press_id": "a1"})
        assert (await button.answer("a1"))["status"] == "accepted"
        await fill(api.js)
        assert not await button.press({"press_id": "a2"}), "there is a PUBACK all the same"
        await until(lambda: api.tells("1 refused"), "the desk to say that a press was not stored", every=0.2)
        await ensure_streams(api.js)
        monkeypatch.setattr(strain, "LATELY_SECONDS", 1.0)
        assert not await button.press({"press_id": "a2"})
        assert (await button.answer("a2"))["status"] == "accepted"
        await until(lambda: api.tells(None), "the desk to say so no more", every=0.2)
