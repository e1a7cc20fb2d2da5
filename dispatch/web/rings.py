"""The channel `live`: a request on `live.<site>.ring.<person>` rings that person's open pages in this process.

Nobody is subscribed while no page is open, so that the caller knows at once that there is none. Whose pages are open
here is said on `live.<site>.pages` as well, so that the others need not be asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Protocol, Self
from uuid import uuid4

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from dispatch.errors import Unavailable
from dispatch.events import SAID_EVERY_SECONDS, OpenPages, open_pages_subject
from dispatch.identifiers import CaseId, PersonId
from dispatch.web.listener import Listener, Ring
from dispatch.web.tasks import Tasks

log = structlog.get_logger()

RECEIPT_SECONDS = 2.0
SHOWN = ("notification", "case", "kind", "drill", "silent", "duress", "household", "reason", "link", "title", "body")


class Pages(Protocol):
    def pages_of(self, principal_role: str, subject: str, /) -> list[Listener]: ...


class Rings:
    """Rings open pages and answers what came of it: `delivered` when a page confirms in time, else `sent`."""

    def __init__(self, nc: Client, site: str, board: Pages) -> None:
        self._nc, self._site, self._board = nc, site, board
        self._subscriptions: dict[PersonId, Subscription] = {}
        self._ringing: dict[str, Ring] = {}
        self._lock = asyncio.Lock()
        self._tasks = Tasks()
        self._here = uuid4().hex

    async def __aenter__(self) -> Self:
        self._tasks.keep("rings.pages", self._say_for_ever)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.stop()

    @contextlib.asynccontextmanager
    async def open_page(self, person: PersonId) -> AsyncIterator[None]:
        """While this lasts, `person` can be rung here."""
        await self._subscribe(person)
        try:
            yield
        finally:
            await self._leave(person)

    def confirm(self, notification: str) -> bool:
        """A page says that it rings. True when the caller still waits for that, and will record it."""
        ring = self._ringing.get(notification)
        if ring is None:
            return False
        ring.confirmed.set()
        return True

    def case_of(self, notification: str) -> CaseId | None:
        """The case that `notification` is ringing for right now."""
        ring = self._ringing.get(notification)
        case = ring.body.get("case") if ring else None
        return CaseId(case) if isinstance(case, str) else None

    async def _subscribe(self, person: PersonId) -> None:
        async with self._lock:
            if person in self._subscriptions:
                return
            try:
                subscription = await self._nc.subscribe(f"live.{self._site}.ring.{person}", cb=self._requested)
                self._subscriptions[person] = subscription  # before it is said: all of it may be said meanwhile
                await self._say(OpenPages(at=self._here, people=frozenset((person,)), more=True))
                await self._nc.flush()
            except (NatsError, TimeoutError) as error:
                await self._unsubscribe(person)
                raise Unavailable(f"this page cannot be rung yet, NATS does not answer: {error!r}") from error

    async def _leave(self, person: PersonId) -> None:
        async with self._lock:
            if not self._board.pages_of("responder", person):
                await self._unsubscribe(person)

    async def _unsubscribe(self, person: PersonId) -> None:
        if (known := self._subscriptions.pop(person, None)) is not None:
            with contextlib.suppress(NatsError):
                await known.unsubscribe()

    async def _say_for_ever(self) -> None:
        while True:
            await self._say(OpenPages(at=self._here, people=frozenset(self._subscriptions)))
            await asyncio.sleep(SAID_EVERY_SECONDS)

    async def _say(self, pages: OpenPages) -> None:
        await self._nc.publish(open_pages_subject(self._site), msgspec.json.encode(pages))

    async def _requested(self, message: Msg) -> None:
        # The client waits for a callback before it takes the next message: one case's ring must not wait for another's.
        self._tasks.once("ring", lambda: self._ring(message))

    async def _ring(self, message: Msg) -> None:
        person = PersonId(message.subject.rpartition(".")[2])
        body = _read(message.data)
        if body is None:
            log.error("ring.unreadable", person=person, body=ascii(message.data[:200]))
            return
        ring = self._ringing[body["notification"]] = Ring(body)
        try:
            for page in self._board.pages_of("responder", person):
                page.ring(ring)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ring.confirmed.wait(), RECEIPT_SECONDS)
        finally:
            if self._ringing.get(body["notification"]) is ring:
                del self._ringing[body["notification"]]
        await _answer(message, ring)


async def _answer(message: Msg, ring: Ring) -> None:
    if ring.confirmed.is_set():
        answer = {"outcome": "delivered"}
    elif ring.written:
        answer = {"outcome": "sent"}
    else:
        return  # no page took it; another process may have one that does
    with contextlib.suppress(NatsError):
        await message.respond(json.dumps(answer).encode())


def _read(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except ValueError:
        return None
    if not isinstance(body, dict) or not isinstance(body.get("notification"), str):
        return None
    return {name: body[name] for name in SHOWN if name in body}
