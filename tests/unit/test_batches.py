"""The same for many: in their order, some at a time; and what fails leaves nothing behind that still runs."""

from __future__ import annotations

import asyncio

import pytest

from dispatch.fanout import batches
from dispatch.fanout.batches import in_batches


@pytest.fixture(autouse=True)
def _two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 2)


async def test_each_has_its_result_in_its_place() -> None:
    async def twice(number: int) -> int:
        await asyncio.sleep(0 if number % 2 else 0.001)
        return 2 * number

    assert await in_batches(twice, range(5)) == [0, 2, 4, 6, 8]


async def test_what_fails_waits_for_those_beside_it_and_nothing_is_begun_after_it() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def fails(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("the first")
        await asyncio.sleep(0.001)
        ended.append(number)

    with pytest.raises(ValueError, match="the first"):
        await in_batches(fails, range(4))
    assert (begun, ended) == ([0, 1], [1])
