"""Whose turn it is where not all can go at once: the more urgent first, and areas in turns among equals."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

Waiting = TypeVar("Waiting")


class Rank(IntEnum):
    """How urgent a ring is, the most urgent first."""

    FIRST = 0
    """The first ring of a new case."""
    WIDENED = 1
    """Somebody who is called when the call widens."""
    REPEATED = 2
    """Somebody who was called before."""
    NOTICE = 3
    """Word that somebody need not come."""


class Place(NamedTuple):
    """Where in the queue: a drill comes after everything in earnest of the same rank.

    `area` is whose turn is used: the smallest area of the case.
    """

    rank: Rank
    drill: bool
    area: str


class Queue(Generic[Waiting]):
    """Who waits. Among those of one rank areas take turns, so that the storm of one makes no other wait."""

    def __init__(self) -> None:
        self._ranks: dict[tuple[Rank, bool], OrderedDict[str, deque[Waiting]]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def entries(self) -> Iterator[tuple[Place, Waiting]]:
        """Everybody who waits, with their place, in no order."""
        for (rank, drill), areas in self._ranks.items():
            for area, waiting in areas.items():
                for one in waiting:
                    yield Place(rank, drill, area), one

    def of(self, rank: Rank) -> int:
        """How many of `rank` wait, drills among them."""
        return sum(len(w) for key, areas in self._ranks.items() if key[0] == rank for w in areas.values())

    def urgency(self) -> tuple[Rank, bool]:
        """That of whoever is next; the smallest is the most urgent. Only where somebody waits."""
        return min(self._ranks)

    def push(self, place: Place, waiting: Waiting) -> None:
        areas = self._ranks.setdefault((place.rank, place.drill), OrderedDict())
        areas.setdefault(place.area, deque()).append(waiting)
        self._length += 1

    def pop(self) -> Waiting:
        """Whoever is next; then it is the turn of the next area."""
        urgency = min(self._ranks)
        areas = self._ranks[urgency]
        area, waiting = next(iter(areas.items()))
        found = waiting.popleft()
        areas.move_to_end(area)
        self._tidy(urgency, area)
        return found

    def remove(self, place: Place, waiting: Waiting) -> None:
        """Take out somebody who waits no longer; nothing when they do not wait."""
        with suppress(KeyError, ValueError):
            self._ranks[place.rank, place.drill][place.area].remove(waiting)
            self._tidy((place.rank, place.drill), place.area)

    def _tidy(self, urgency: tuple[Rank, bool], area: str) -> None:
        self._length -= 1
        areas = self._ranks[urgency]
        if not areas[area]:
            del areas[area]
        if not areas:
            del self._ranks[urgency]


class Turns:
    """At most `at_once` have a turn; who must wait is called in the order of `Queue`."""

    def __init__(self, at_once: int) -> None:
        self._left = at_once
        self._queue: Queue[asyncio.Future[None]] = Queue()

    @asynccontextmanager
    async def at(self, place: Place) -> AsyncIterator[None]:
        """Have a turn; without a moment's delay when one is left."""
        if self._left:
            self._left -= 1
        else:
            await self._wait(place)
        try:
            yield
        finally:
            self._pass_on()

    def waiting(self, rank: Rank) -> int:
        """How many of `rank` wait."""
        return self._queue.of(rank)

    async def _wait(self, place: Place) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(place, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._queue.remove(place, turn)
            else:  # the turn came in the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._queue:
            turn = self._queue.pop()
            if not turn.done():  # one that is being cancelled wants none
                turn.set_result(None)
                return
        self._left += 1
