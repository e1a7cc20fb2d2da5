"""Turns with the providers of a channel, while the watchdog stands in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from dispatch.fanout.shares import Shares
from dispatch.fanout.turns import Place, Rank

FIRST, REPEATED = Place(Rank.FIRST, False, "a"), Place(Rank.REPEATED, False, "a")


class Rings:
    """Rings that have a turn until `over` is called."""

    def __init__(self, at_once: int) -> None:
        self._shares = Shares(at_once)
        self.began: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, name: str, provider: str, place: Place = FIRST) -> None:
        self.tasks[name] = asyncio.create_task(self._ring(name, provider, place))
        await _settled()

    async def over(self, name: str) -> None:
        self.tasks[name].cancel()
        await _settled()

    async def end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    async def _ring(self, name: str, provider: str, place: Place) -> None:
        async with self._shares.of(provider, place):
            self.began.append(name)
            await asyncio.Event().wait()


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def rings_of() -> AsyncIterator[Callable[[int], Rings]]:
    """Makes rings of which so many are made at once; all are over with the test."""
    made: list[Rings] = []

    def make(at_once: int) -> Rings:
        made.append(Rings(at_once))
        return made[-1]

    yield make
    for rings in made:
        await rings.end()


async def test_however_many_rings_of_two_providers_hang_a_third_has_a_turn(rings_of: Callable[[int], Rings]) -> None:
    rings = rings_of(4)
    for number in range(4):
        await rings.begin(f"a{number}", "a")
        await rings.begin(f"b{number}", "b")
    await rings.begin("c", "c")
    assert rings.began == ["a0", "b0", "a1", "c"]


async def test_a_first_ring_passes_the_repeats_that_wait(rings_of: Callable[[int], Rings]) -> None:
    rings = rings_of(2)
    await rings.begin("in hand", "a")
    await rings.begin("again", "a", REPEATED)
    await rings.begin("first", "a", FIRST)
    await rings.over("in hand")
    assert rings.began == ["in hand", "first"]


async def test_who_waits_no_longer_has_no_turn_and_takes_none_from_others(rings_of: Callable[[int], Rings]) -> None:
    rings = rings_of(2)
    for name in ("in hand", "leaves", "stays"):
        await rings.begin(name, "a")
    await rings.over("leaves")
    await rings.over("in hand")
    assert rings.began == ["in hand", "stays"]


async def test_a_turn_that_came_in_the_moment_of_leaving_is_passed_on(rings_of: Callable[[int], Rings]) -> None:
    rings = rings_of(2)
    for name in ("in hand", "leaves", "stays"):
        await rings.begin(name, "a")
    rings.tasks["in hand"].cancel()
    await asyncio.sleep(0)
    await rings.over("leaves")
    assert "stays" in rings.began
