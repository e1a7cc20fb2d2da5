"""Word of incidents to whoever runs this system, over a channel of the watchdog's own.

It needs neither NATS nor the fan-out: when those are away, somebody must hear of it all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

import structlog

from dispatch.clock import Clock, now
from dispatch.events import Incident
from dispatch.fanout.channels.threads import Threads
from dispatch.roster.apprise_urls import NotUsable, usable

log = structlog.get_logger()

SETTLED = timedelta(seconds=3)
"""An incident that is over sooner is not worth waking somebody: a process was started again, say."""
PAUSE_SECONDS = 10.0
"""Between two messages, so that a bad night is a handful of messages and not a thousand."""
SEND_SECONDS = 20.0
LINES = 20


class Alerts:
    """Tells what is wrong, and when it is over, to the Apprise `urls` (none: tells nobody)."""

    def __init__(self, urls: Sequence[str], site: str, *, pause: float = PAUSE_SECONDS, clock: Clock = now) -> None:
        self._urls, self._threads = tuple(urls), Threads(at_once=8, per_place=2)
        self._site, self._pause, self._clock = site, pause, clock
        self._current: dict[str, Incident] = {}
        self._told: dict[str, Incident] = {}
        self._news = asyncio.Event()

    def are(self, incidents: Iterable[Incident]) -> None:
        """These are the incidents now. Returns at once; `run` tells what has changed."""
        settled = self._clock() - SETTLED
        self._current = {
            incident.name: self._told.get(incident.name, incident)
            for incident in incidents
            if incident.since <= settled or incident.name in self._told
        }
        if self._current.keys() != self._told.keys():
            self._news.set()

    async def run(self) -> None:
        """Send what is to be told, until cancelled."""
        if not self._urls:
            return
        while True:
            await self._news.wait()
            self._news.clear()
            begun = [one for name, one in self._current.items() if name not in self._told]
            over = [one for name, one in self._told.items() if name not in self._current]
            if (begun or over) and await self._send(begun, over):
                self._told = {name: one for name, one in self._told.items() if one not in over} | {
                    one.name: one for one in begun
                }
            await asyncio.sleep(self._pause)

    async def _send(self, begun: Sequence[Incident], over: Sequence[Incident]) -> bool:
        """Whether somebody was told; if not, the next look tries again."""
        title = f"一呼多应 Dispatch {self._site}: " + ("故障 trouble" if begun else "恢复 over")
        lines = [f"● {one.detail} ({one.name}, {one.since:%H:%M:%S} UTC)" for one in begun]
        lines += [f"○ 恢复 over: {one.detail} ({one.name})" for one in over]
        if len(lines) > LINES:
            lines[LINES:] = [f"… 另有 and {len(lines) - LINES} more"]
        told = await asyncio.gather(*(self._send_to(url, title, "\n".join(lines)) for url in self._urls))
        if not any(told):
            log.error("alerts.not_told", incidents=len(begun), over=len(over))
        return any(told)

    async def _send_to(self, url: str, title: str, body: str) -> bool:
        try:
            return await self._threads.run(url, lambda: usable(url).notify(title=title, body=body), SEND_SECONDS)
        except NotUsable as error:
            log.error("alerts.not_usable", reason=error.detail)
        except Exception as error:  # noqa: BLE001 - the plug-ins of Apprise raise what they like
            log.error("alerts.failed", error=type(error).__name__)
        return False
