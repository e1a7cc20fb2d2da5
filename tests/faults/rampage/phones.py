"""The phones of everybody in the county: one HTTP server that remembers each ring that it took."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Literal

from aiohttp import web

from dispatch.identifiers import CaseId, PersonId
from tests.faults.rampage.account import Ring

HANG_SECONDS = 30
Mood = Literal["ok", "error", "throttle", "hang"]


class CountyPhones:
    """Remembers when each ring came that was taken (monotonic seconds). `links` has the link of each, for an answer."""

    def __init__(self) -> None:
        self.url = ""
        self.rung: defaultdict[Ring, list[float]] = defaultdict(list)
        self.links: deque[str] = deque(maxlen=1000)
        self.moods: dict[PersonId, Mood] = {}
        self.ringing = asyncio.Condition()

    async def take(self, request: web.Request) -> web.StreamResponse:
        person = PersonId(request.match_info["person"])
        said = json.loads(await request.read())["data"]
        match self.moods.get(person, "ok"):
            case "error":
                return web.Response(status=500)
            case "throttle":
                return web.Response(status=429, headers={"Retry-After": "1"})
            case "hang":
                await asyncio.sleep(HANG_SECONDS)
                return web.Response(status=500)
            case _:
                if said["word"] == "called":
                    self.rung[person, CaseId(said["case"]), said["step"]].append(monotonic())
                    self.links.append(said["link"])
                    async with self.ringing:
                        self.ringing.notify_all()
                return web.Response(status=204)


@asynccontextmanager
async def county_phones() -> AsyncIterator[CountyPhones]:
    """The phones, at `<url>/<person>`."""
    phones = CountyPhones()
    application = web.Application()
    application.router.add_post("/{person}", phones.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        phones.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield phones
    finally:
        await runner.cleanup()
