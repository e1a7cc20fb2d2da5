"""Timers: the server says, at a given time, that a case is to be looked at again (nats-server ADR-51).

A timer is a hint and holds no decision: what is due is known from the case. So one that comes late, early, twice or
for a case that is over does no harm, and one that is lost is found by the watchdog.
"""

from __future__ import annotations

from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from dispatch.clock import for_server
from dispatch.errors import Unavailable
from dispatch.events.streams import TIMERS
from dispatch.identifiers import CaseId, Site

ACKNOWLEDGED_SECONDS = 2.0


class Timers:
    """The timers of one site, one for each case."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._js, self._site = nc.jetstream(), Site(site)

    async def set(self, case: CaseId, at: datetime) -> None:
        """Let `case` be due at `at`, instead of at any time set before. Raises `Unavailable`."""
        then = for_server(at).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        schedule = {
            "Nats-Schedule": f"@at {then}",
            "Nats-Schedule-Target": due_subject(self._site, case),
        }
        await self._publish(f"timers.{self._site}.{case}", schedule)

    async def ring(self, case: CaseId) -> None:
        """Let `case` be due now. Raises `Unavailable`."""
        await self._publish(due_subject(self._site, case), {})

    async def _publish(self, subject: str, headers: dict[str, str]) -> None:
        try:
            await self._js.publish(subject, b"", stream=TIMERS, headers=headers or None, timeout=ACKNOWLEDGED_SECONDS)
        except (NatsError, APIError, TimeoutError) as error:
            raise Unavailable(f"the timer of {subject} is not set: {error!r}") from error


def due_subject(site: Site | str, case: CaseId | str) -> str:
    """Where it is said that `case` (or `*`, any) is due."""
    return f"due.{site}.{case}"
