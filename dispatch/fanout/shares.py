"""Shares of a channel: a provider never has more turns than are left free, as in the fan-out's lanes (`lanes.py`)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dispatch.fanout.turns import Place, Queue


class Shares:
    """At most `at_once` have a turn; who must wait for their provider is called in the order of `Queue`."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._in_hand: Counter[str] = Counter()
        self._queues: dict[str, Queue[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, provider: str, place: Place) -> AsyncIterator[None]:
        """A turn with `provider`, waited for; who waits for one that hangs holds back nobody else's."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(provider, Queue()).push(place, turn)
        self._call_next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._remove(provider, place, turn)
            else:  # the turn came in the same moment
                self._give_back(provider)
            raise
        try:
            yield
        finally:
            self._give_back(provider)

    def _call_next(self) -> None:
        while free := [provider for provider in self._queues if self._is_free(provider)]:
            provider = min(free, key=lambda name: (self._queues[name].urgency(), self._in_hand[name]))
            turn = self._queues[provider].pop()
            if not self._queues[provider]:
                del self._queues[provider]
            if not turn.done():  # one that is being cancelled wants none
                self._in_hand[provider] += 1
                turn.set_result(None)

    def _is_free(self, provider: str) -> bool:
        return self._in_hand[provider] < self._at_once - self._in_hand.total()

    def _remove(self, provider: str, place: Place, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(provider)
        if queue is not None:
            queue.remove(place, turn)
            if not queue:
                del self._queues[provider]

    def _give_back(self, provider: str) -> None:
        self._in_hand[provider] -= 1
        if not self._in_hand[provider]:
            del self._in_hand[provider]
        self._call_next()
