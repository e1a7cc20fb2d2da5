"""The phones that press in the benchmark: what they send is an alarm like any other; what is refused is no press."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bench.phones import Phones


@asynccontextmanager
async def desk(status: int = 202) -> AsyncIterator[tuple[str, list[tuple[str | None, ...]]]]:
    seen: list[tuple[str | None, ...]] = []

    async def alarm(request: web.Request) -> web.Response:
        transport = request.transport
        port = str(transport.get_extra_info("peername")[1]) if transport is not None else None
        key = request.headers["Idempotency-Key"]
        seen.append((request.headers["Authorization"], key, await request.text(), port))
        return web.json_response({"press": key}, status=status)

    app = web.Application()
    app.router.add_post("/v1/alarms", alarm)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


async def test_one_connection_is_used_for_one_press_after_the_other() -> None:
    async with desk() as (url, seen):
        phones = Phones(url)
        first, second = await phones.press("t-1", "a"), await phones.press("t-2", "b")
        phones.close()
    assert [first.answer, second.answer] == [{"press": "a"}, {"press": "b"}]
    assert first.at < second.at
    assert [one[:3] for one in seen] == [("Bearer t-1", "a", "{}"), ("Bearer t-2", "b", "{}")]
    assert seen[0][3] == seen[1][3]


async def test_what_is_refused_is_no_press() -> None:
    async with desk(status=429) as (url, _):
        with pytest.raises(AssertionError, match="429"):
            await Phones(url).press("t-1", "a")
