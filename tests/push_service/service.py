"""A push service that nobody here wrote: web-push-testing. It checks VAPID and decrypts, as vendor and browser do."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from dispatch.roster import WebPushPoint
from tests.node_packages import fetched
from tests.receivers import Reserved

LOCK = Path(__file__).parent / "package-lock.json"
START_SECONDS = 20


class PushService:
    """A running one, by its own interface."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def subscribe(self, application_key: str) -> WebPushPoint:
        """A browser's subscription for pushes by whoever has that VAPID key (base64url) alone."""
        asked = {"userVisibleOnly": "true", "applicationServerKey": application_key}
        made = await self._ask("subscribe", asked)
        return WebPushPoint(endpoint=made["endpoint"], p256dh=made["keys"]["p256dh"], auth=made["keys"]["auth"])

    async def shown(self, subscription: WebPushPoint) -> list[dict[str, Any]]:
        """The pushes that were taken for it, decrypted, oldest first."""
        found = await self._ask("get-notifications", {"clientHash": _client(subscription)})
        return [json.loads(message) for message in found["messages"]]

    async def expire(self, subscription: WebPushPoint) -> None:
        """Answer 410 to every push for it from now on."""
        async with self._session.post(f"/expire-subscription/{_client(subscription)}") as answer:
            answer.raise_for_status()

    async def _ask(self, what: str, body: dict[str, str]) -> dict[str, Any]:
        async with self._session.post(f"/{what}", json=body) as answer:
            said = await answer.json()
            assert answer.status == 200, said
            data: dict[str, Any] = said["data"]
            return data


def _client(subscription: WebPushPoint) -> str:
    return subscription.endpoint.rpartition("/")[2]


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    """A push service on a free port. Raises `CannotBeHad`."""
    program = await asyncio.to_thread(fetched, LOCK) / "web-push-testing" / "src" / "bin" / "server.js"
    port = Reserved().release()
    process = await asyncio.create_subprocess_exec("node", str(program), str(port), stdout=PIPE)
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert said == f"Server running on port {port}\n".encode(), said
        async with aiohttp.ClientSession(f"http://localhost:{port}") as session:
            yield PushService(session)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
