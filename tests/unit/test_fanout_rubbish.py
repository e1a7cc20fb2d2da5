"""What is said of households whose unreadable presses are passed over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from nats.aio.msg import Msg

from dispatch.fanout.rubbish import HEARD_SECONDS, Rubbish

START = datetime(2026, 11, 22, 8, tzinfo=UTC)


async def test_it_is_told_for_each_household_since_it_began_and_for_as_long_as_it_is_said() -> None:
    passed = 0.0
    rubbish = Rubbish(clock=lambda: START + timedelta(seconds=passed), passed=lambda: passed)

    async def hear(household: str) -> None:
        await rubbish.hear(cast("Msg", SimpleNamespace(subject=f"ops.s.rubbish.{household}")))

    def told() -> dict[str, float]:
        return {one.what: (one.since - START).total_seconds() for one in rubbish.incidents()}

    await hear("h-1")
    passed = HEARD_SECONDS - 1
    await hear("h-1")
    await hear("h-2")
    await hear("\N{GREEK SMALL LETTER ALPHA}!")
    assert told() == {"h-1": 0, "h-2": passed}
    passed += HEARD_SECONDS - 1
    await hear("h-1")
    passed += 1
    assert told() == {"h-1": 0}
    passed += HEARD_SECONDS
    assert told() == {}
    await hear("h-1")
    assert told() == {"h-1": passed}, "it began anew"
