"""Answers to many requests over one subscription: with one for each, asking costs more than the question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from weakref import WeakKeyDictionary

from nats.aio.client import Client
from nats.aio.msg import Msg

Heard = Callable[[Msg], None]


class Inbox:
    """Where the answers to one connection's requests come in; get it from `inbox_of`."""

    def __init__(self, nc: Client) -> None:
        self._subject = nc.new_inbox()
        self._heard: dict[str, Heard] = {}
        self._numbers = count()
        self._opening: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, heard: Heard) -> Iterator[str]:
        """While this lasts, each answer to the subject that it gives, or to one a token longer, is shown to `heard`.

        The inbox must be open.
        """
        number = str(next(self._numbers))
        self._heard[number] = heard
        try:
            yield f"{self._subject}.{number}"
        finally:
            del self._heard[number]

    async def open(self, nc: Client) -> None:
        """Once is enough; `nc` is the connection that it was made for. Raises `nats.errors.Error`."""
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._subscribe(nc))
        if not self._opening.done():
            await asyncio.shield(self._opening)

    async def _subscribe(self, nc: Client) -> None:
        await nc.subscribe(f"{self._subject}.>", cb=self._receive, pending_msgs_limit=-1, pending_bytes_limit=-1)

    async def _receive(self, message: Msg) -> None:
        heard = self._heard.get(message.subject[len(self._subject) + 1 :].partition(".")[0])
        if heard is not None:  # else it came too late
            heard(message)


_inboxes: WeakKeyDictionary[Client, Inbox] = WeakKeyDictionary()
"""An inbox must not hold its connection, or neither would ever go."""


async def inbox_of(nc: Client) -> Inbox:
    """The inbox of `nc`, open. Raises `nats.errors.Error`."""
    inbox = _inboxes.get(nc)
    if inbox is None:
        inbox = _inboxes[nc] = Inbox(nc)
    await inbox.open(nc)
    return inbox
