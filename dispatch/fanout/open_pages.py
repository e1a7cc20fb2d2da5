"""Who may have a page open, by what each `serve` says: of thirteen who are called few have, and each question costs.

It is used only where it is sure. Until it has listened for long enough on the connection that it has now, and while no
`serve` says all of it, everybody may have one, and is asked: that nobody is subscribed is then the answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import inf
from time import monotonic
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.errors import Unreadable
from dispatch.events import SAID_EVERY_SECONDS, decode_open_pages, open_pages_subject
from dispatch.identifiers import PersonId, Site

log = structlog.get_logger()

SURE_SECONDS: Final = 2.5 * SAID_EVERY_SECONDS
"""After so long each `serve` has said all of it at least twice; and who has said nothing for so long may be gone."""
FORGOTTEN_SECONDS: Final = 300.0
"""What a `serve` said last counts for so long: one that is only stalled still has its pages."""


class _Serve:
    def __init__(self) -> None:
        self.people: set[PersonId] = set()
        self.heard = self.whole = -inf
        """When it said anything, and all of it, last."""


class MayHavePage:
    """Whether a person may have a page open. It listens as long as `listening` lasts."""

    def __init__(self, nc: Client, site: Site | str, clock: Callable[[], float] = monotonic) -> None:
        self._nc, self._site, self._clock = nc, site, clock
        self._serves: dict[str, _Serve] = {}
        self._connection = -1
        self._sure_from = 0.0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Raises `nats.errors.Error` when the server cannot be told."""
        subscription = await self._nc.subscribe(
            open_pages_subject(self._site), cb=self._hear, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self._is_sure()
        try:
            yield
        finally:
            with suppress(NatsError):
                await subscription.unsubscribe()

    def __call__(self, person: PersonId) -> bool:
        return not self._is_sure() or any(person in serve.people for serve in self._serves.values())

    def _is_sure(self) -> bool:
        now, connection = self._clock(), self._nc.stats["reconnects"]
        if connection != self._connection:  # what was said in between was not heard
            self._connection, self._sure_from = connection, now + SURE_SECONDS
        return (
            self._nc.is_connected
            and now >= self._sure_from
            and any(now - serve.whole < SURE_SECONDS for serve in self._serves.values())
        )

    async def _hear(self, message: Msg) -> None:
        try:
            said = decode_open_pages(message.data)
        except Unreadable as error:
            log.error("open_pages.unreadable", reason=error.detail)
            return
        now, serve = self._clock(), self._serves.setdefault(said.at, _Serve())
        serve.heard = now
        if said.more:
            serve.people |= said.people
        else:
            serve.people, serve.whole = set(said.people), now
        for at in [at for at, serve in self._serves.items() if now - serve.heard > FORGOTTEN_SECONDS]:
            del self._serves[at]
