"""How often a PIN may be tried where what counts the tries is slow, or its clock is wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import pytest

from dispatch.access import Bucket
from dispatch.errors import TooFrequent
from dispatch.identifiers import HouseholdId
from dispatch.web import pin_tries
from dispatch.web.pin_tries import PinTries

HOME, AT = HouseholdId("h-1"), datetime(2026, 11, 21, tzinfo=UTC)


class Hanging:
    """A bucket that never answers."""

    async def get_with_revision(self, _key: str) -> tuple[bytes | None, int]:
        await asyncio.Event().wait()
        raise AssertionError

    async def put(self, _key: str, _value: bytes) -> None:
        await asyncio.Event().wait()


class Kept:
    """A bucket of one key, that somebody else has written."""

    def __init__(self, *times: float) -> None:
        self.value = msgspec.json.encode(times)

    async def get_with_revision(self, _key: str) -> tuple[bytes | None, int]:
        return self.value, 1

    async def replace(self, _key: str, value: bytes, _revision: int) -> bool:
        self.value = value
        return True


async def test_a_bucket_that_hangs_delays_a_try_and_neither_forbids_nor_frees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pin_tries, "STORE_SECONDS", 0.01)
    ticks = 0.0
    tries = PinTries(cast("Bucket", Hanging()), "site", ticks=lambda: ticks)
    took = await asyncio.gather(*(tries.take(HOME) for _ in range(6)), return_exceptions=True)
    assert [isinstance(one, TooFrequent) for one in took] == [False] * 4 + [True] * 2
    ticks = pin_tries.WITHIN_SECONDS
    await tries.take(HOME)
    await tries.was_right(HOME)


@pytest.mark.parametrize(("seconds_ago", "passes"), [(61, True), (59, False), (-3600, False)])
async def test_what_others_tried_within_a_minute_counts_and_nothing_before(seconds_ago: float, *, passes: bool) -> None:
    kept = Kept(*[(AT - timedelta(seconds=seconds_ago)).timestamp()] * 4)
    tries = PinTries(cast("Bucket", kept), "site", clock=lambda: AT)
    if passes:
        await tries.take(HOME)
        return
    with pytest.raises(TooFrequent) as refused:
        await tries.take(HOME)
    assert 0 < refused.value.retry_after <= pin_tries.WITHIN_SECONDS


async def test_what_cannot_be_read_counts_for_nothing() -> None:
    kept = Kept()
    kept.value = b"nonsense"
    await PinTries(cast("Bucket", kept), "site", clock=lambda: AT).take(HOME)
    assert kept.value == msgspec.json.encode([AT.timestamp()])
