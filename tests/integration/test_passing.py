"""A button's press that nats-server stores late, or not at all, is seen: it passed, and the stream has not got it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.cases.decisions import REPEAT_WINDOW
from dispatch.clock import now
from dispatch.events import press_subject
from dispatch.identifiers import Site
from dispatch.intake import Strain, passing, strain
from dispatch.intake.passing import Passing
from tests.waiting import until


class Store:
    """The stream of presses, and who looks whether it gets what passes."""

    def __init__(self, nc: Client, site: Site) -> None:
        self.strain, self.late = Strain(), timedelta()
        self.passing = Passing(nc, self.strain, lambda: now() + self.late)
        self._nc, self._js, self._subject = nc, nc.jetstream(), press_subject(site, "h-1")

    def passes(self, body: bytes) -> None:
        self.passing.look_for(Msg(self._nc, subject=self._subject, data=body))

    async def stores(self, *bodies: bytes) -> None:
        for body in bodies:
            await self._js.publish(self._subject, body)

    async def said(self) -> tuple[int, int]:
        """How many were refused and how many slow, once nothing is looked for any more."""
        await until(lambda: not self.passing.looks, "the looking to end")
        word = self.strain.word()
        return (word.refused, word.slow) if word else (0, 0)


@pytest.fixture
async def store(nc: Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setattr(passing, "REST_SECONDS", 0)
    made = Store(nc, site)
    yield made
    await made.passing.close()


async def test_of_presses_that_are_stored_nothing_is_said(store: Store) -> None:
    await store.stores(b"1", b"2")
    for body in (b"1", b"2"):  # two at once, both stored before anybody looked
        store.passes(body)
    assert await store.said() == (0, 0)


async def test_a_press_that_is_not_stored_is_told_of(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "PATIENCE_SECONDS", 0.3)
    await store.stores(b"1")
    store.passes(b"2")
    assert await store.said() == (1, 0)


async def test_a_press_sent_again_that_is_stored_from_before_is_not_lost(store: Store) -> None:
    await store.stores(b"1")
    store.late = REPEAT_WINDOW - timedelta(minutes=1)
    store.passes(b"1")
    assert await store.said() == (0, 0)


async def test_a_press_that_is_not_stored_is_told_of_though_one_like_it_was_long_ago(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "PATIENCE_SECONDS", 0.3)
    await store.stores(b"1")
    store.late = REPEAT_WINDOW
    store.passes(b"1")
    assert await store.said() == (1, 0)


@pytest.mark.parametrize("stored", [b"1", b"2"], ids=["it", "one that came after it"])
async def test_a_press_that_is_stored_late_is_told_of(
    store: Store, stored: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "PATIENCE_SECONDS", 60)
    monkeypatch.setattr(strain, "SLOW_SECONDS", 0.3)
    store.passes(b"1")
    await until(lambda: (word := store.strain.word()) and word.waiting, "the press to be said to wait")
    await store.stores(stored)
    assert await store.said() == (0, 1)


async def test_a_flood_of_presses_is_no_flood_of_questions(store: Store) -> None:
    for number in range(1000):
        store.passes(b"%d" % number)
    assert store.passing.looks == passing.AT_ONCE
