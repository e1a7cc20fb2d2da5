"""A button's press that nats-server stores late, or not at all, is seen: it passed, and the stream has not got it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.cases.decisions import REPEAT_WINDOW
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import Press, encode_press, last_of_each, press_subject
from dispatch.identifiers import HouseholdId, PressId, Site
from dispatch.intake import ButtonAnswers, Strain, passing, strain
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


async def test_after_a_look_there_is_one_fewer_for_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "REST_SECONDS", 0.3)
    await store.stores(b"1")
    begun = monotonic()
    store.passes(b"1")
    assert await store.said() == (0, 0)
    assert monotonic() - begun >= 0.3


async def test_a_store_that_did_not_answer_once_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [Unavailable("not now"), last_of_each]

    async def asked(*request: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return await answer(*request)

    monkeypatch.setattr(passing, "last_of_each", asked)
    await store.stores(b"1")
    store.passes(b"1")
    assert await store.said() == (0, 0)
    assert answers == []


async def test_only_what_a_button_sent_is_looked_for(nc: Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A press over HTTP is stored by us, and one that was refused is counted there."""
    looked: list[bytes] = []
    monkeypatch.setattr(Passing, "look_for", lambda _, message: looked.append(message.data))
    answering = asyncio.create_task(ButtonAnswers(nc, site, lambda _: asyncio.sleep(0)).run())
    await asyncio.sleep(0)
    press = Press(press=PressId("b1"), household=HouseholdId("h-1"), device="d", source="http", pressed_at=now())
    subject, headers, body = encode_press(press, site)
    await nc.publish(subject, body, headers=headers)
    await nc.publish(subject, b'{"press_id":"b2"}')
    await until(lambda: looked, "the button's press to be looked for")
    assert looked == [b'{"press_id":"b2"}']
    answering.cancel()
    await asyncio.wait({answering})
