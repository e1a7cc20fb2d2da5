"""What is said of the store of presses: while it is slow or takes none, and for a moment after."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from nats.aio.client import Client as NatsClient
from nats.errors import OutboundBufferLimitError
from prometheus_client import REGISTRY

from dispatch.errors import Oversized, Unavailable
from dispatch.events import Strained, decode_strained
from dispatch.intake import strain
from dispatch.intake.strain import Strain
from dispatch.roles import strained_subject

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Store:
    """Takes presses for as long as a test says."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.strain = Strain(clock=lambda: self.at(self.seconds), passed=lambda: self.seconds)

    def at(self, seconds: float) -> datetime:
        return T0 + timedelta(seconds=seconds)

    def press(self, seconds: float, error: Exception | None = None) -> None:
        with self.strain.storing():
            self.seconds += seconds
            if error is not None:
                raise error

    def refuses(self, seconds: float = 4.5) -> None:
        with pytest.raises(Unavailable):
            self.press(seconds, Unavailable("not acknowledged"))

    def said(self) -> tuple[datetime, int, int, int] | None:
        """Since when, how many refused, slow, waiting."""
        word = self.strain.word()
        return (word.since, word.refused, word.slow, word.waiting) if word else None


def test_of_a_store_that_does_well_nothing_is_said() -> None:
    store = Store()
    store.press(0.9)
    with pytest.raises(Oversized):
        store.press(0.1, Oversized("too large"))
    assert store.said() is None


def test_what_is_slow_or_refused_is_said_since_the_first_of_it_until_it_was_well_for_a_while() -> None:
    store = Store()
    store.press(1.1)
    assert store.said() == (store.at(100), 0, 1, 0)
    store.seconds += 5
    store.refuses()
    store.refuses()
    store.press(0.1)
    assert store.said() == (store.at(100), 2, 1, 0)
    store.seconds += 10
    assert store.said() is None


@pytest.mark.parametrize("asked", [True, False])
def test_another_time_counts_anew_whether_or_not_anybody_asked_in_between(asked: bool) -> None:
    store = Store()
    store.press(1.1)
    store.refuses()
    store.seconds += 10.1
    if asked:
        assert store.said() is None
    begun = store.seconds
    store.refuses()
    assert store.said() == (store.at(begun), 1, 0, 0)


def test_a_press_that_waits_too_long_is_said_before_anything_came_of_it() -> None:
    store = Store()
    begun = store.seconds
    with store.strain.storing():
        store.seconds += 0.5
        assert store.said() is None
        store.seconds += 1
        with store.strain.storing():
            store.seconds += 0.5
            assert store.said() == (store.at(begun), 0, 0, 1), "the other came just now"
    assert store.said() == (store.at(begun), 0, 1, 0)


@pytest.mark.parametrize(("measured", "more"), [(True, 1), (False, 0)])
def test_what_is_only_seen_a_moment_later_is_no_metric_of_how_long_it_took(measured: bool, more: int) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("dispatch_press_stored_seconds_count") or 0

    before = count()
    with Store().strain.storing(measured=measured):
        pass
    assert count() - before == more


async def test_it_is_said_on_after_it_could_not_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `serve` would end with it, and take no press at all."""
    monkeypatch.setattr(strain, "TELL_SECONDS", 0.0)
    store, heard = Store(), asyncio.Queue[Strained]()
    store.refuses()
    client = Client(heard, fails=1)
    telling = asyncio.create_task(store.strain.tell(cast("NatsClient", client), "s1"))
    word = await asyncio.wait_for(heard.get(), 10)
    assert (word.since, word.refused, client.fails) == (store.at(100), 1, 0)
    telling.cancel()
    await asyncio.wait({telling})


class Client:
    """Publishes to `heard`, but for the first times."""

    def __init__(self, heard: asyncio.Queue[Strained], fails: int) -> None:
        self._heard, self.fails = heard, fails

    async def publish(self, subject: str, body: bytes) -> None:
        if self.fails:
            self.fails -= 1
            raise OutboundBufferLimitError
        assert subject == strained_subject("s1")
        self._heard.put_nowait(decode_strained(body))
