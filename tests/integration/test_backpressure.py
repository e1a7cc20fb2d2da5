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
from dispatch.intake import strain
from dispatch.settings import Settings
from tests.system import free_port
from tests.village import HOUSEHOLD, Village, village_of
from tests.waiting import until
from tests.workers import on_watch, working


class Api:
    """`serve`, and a token for everybody who asks."""

    def __init__(self, http: aiohttp.ClientSession, village: Village) -> None:
        self._http, self._tokens = http, Tokens(village.nc, village.site)

    async def _as(self, role: Any, subject: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {(await self._tokens.issue(role, subject)).secret}"}

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


@pytest.mark.embedded
async def test_while_the_store_is_full_the_desk_says_how_many_were_refused_and_then_no_more(
    fresh_nats: EmbeddedNats, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strain, "LATELY_SECONDS", 2.0)
    monkeypatch.setattr(app, "collect_rarely", lambda: None)
    nc = await connect(fresh_nats.url, "test")
    js = nc.jetstream()
    await ensure_streams(js)
    settings = Settings(site="s1", nats_url=fresh_nats.url, postgres_dsn=postgres_dsn, port=free_port())
    async with (
        village_of(nc, "s1", 1) as village,
        serving(village, settings) as api,
        on_watch(village, settings),
        working(village, settings),
    ):
        assert (await api.press())[0] == 202
        await fill(js)
        for _ in range(2):
            status, said = await api.press()
            assert (status, "telephone" in said) == (503, True)

        async def told() -> bool:
            return "2 refused" in (await api.incidents()).get("intake", "")

        async def over() -> bool:
            return "intake" not in await api.incidents()

        await until(told, "the desk to say that two presses were refused", every=0.2)
        await ensure_streams(js)
        assert (await api.press())[0] == 202
        await until(over, "the desk to say so no more", every=0.2)
    await nc.close()
