"""Who watches the watchdog: `serve` does, which hears of each of its looks."""

from __future__ import annotations

from collections.abc import Callable

from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError
from typing_extensions import TypedDict

from dispatch.clock import now
from dispatch.roles import looked_subject

SILENT_SECONDS = 10.0
"""A watchdog looks every second, and is started again within a few when it dies."""


class Unwatched(TypedDict):
    kind: str
    what: str
    since: str
    detail: str


class Watched:
    """Listens for looks; `changed` is called when `incident` begins and when it is over."""

    def __init__(self, nc: Client, site: str, changed: Callable[[], None]) -> None:
        self._nc, self._site, self._changed = nc, site, changed
        self.incident: Unwatched | None = None

    async def follow(self) -> None:
        """Listen until cancelled. Raises what NATS raises when the connection is over."""
        since = now().isoformat()
        looks = await self._nc.subscribe(looked_subject(self._site), pending_msgs_limit=64)
        try:
            while True:
                try:
                    await looks.next_msg(SILENT_SECONDS)
                except NatsTimeoutError:
                    self._set(_unwatched(since))
                else:
                    since = now().isoformat()
                    self._set(None)
        finally:
            if self._nc.is_connected:
                await looks.unsubscribe()

    def _set(self, incident: Unwatched | None) -> None:
        if incident != self.incident:
            self.incident = incident
            self._changed()


def _unwatched(since: str) -> Unwatched:
    detail = "无人巡查：故障不会被发现 / nobody watches: what else goes wrong is not noticed (`dispatch watch`)"
    return {"kind": "silent", "what": "watch", "since": since, "detail": detail}
