"""The phones of the stories: a ring that no story asked for fails it, and so does one that is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from dispatch.identifiers import CaseId, PersonId
from tests.receivers import receiving
from tests.stories import Phones

ANNA, BO, CASE = PersonId("p-1"), PersonId("p-2"), CaseId("h-1-CASE")


async def nothing_is_under_way() -> None:
    """Whatever will ring has rung."""


@pytest.fixture
async def phones() -> AsyncIterator[Phones]:
    async with receiving() as receiver:
        yield Phones(receiver, nothing_is_under_way)


async def call(phones: Phones, *people: PersonId, word: str = "called", url: str = "") -> None:
    async with aiohttp.ClientSession() as http:
        for person in people:
            message = {"data": {"word": word, "case": CASE}}
            async with http.post(url or phones.point(person).url, json=message) as answer:
                assert answer.status == 200


async def test_who_is_rung_as_the_story_says_fails_nothing(phones: Phones) -> None:
    await call(phones, ANNA, BO)
    await phones.ring({ANNA, BO})
    await call(phones, ANNA)
    await phones.ring({ANNA})
    await call(phones, BO, word="stood_down")
    await phones.are_silent()
    await phones.hear({BO}, CASE, "called", "stood_down")


async def test_a_ring_that_was_not_expected_fails_the_story(phones: Phones) -> None:
    await call(phones, ANNA, BO)
    with pytest.raises(AssertionError, match=r"rang and should not have: {'p-2': 1}"):
        await phones.ring({ANNA})
    with pytest.raises(AssertionError, match="p-2"):
        await phones.are_silent()


async def test_a_second_ring_fails_it_too_but_where_something_was_killed(phones: Phones) -> None:
    await call(phones, ANNA, ANNA)
    with pytest.raises(AssertionError, match=r"rang and should not have: {'p-1': 1}"):
        await phones.ring({ANNA})
    phones.may_ring_once_more({ANNA})
    await phones.are_silent()
    await call(phones, ANNA)
    with pytest.raises(AssertionError, match=r"rang and should not have: {'p-1': 1}"):
        await phones.are_silent()


async def test_a_ring_that_is_missing_fails_it(phones: Phones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.stories.PATIENCE_SECONDS", 0.1)
    await call(phones, ANNA)
    with pytest.raises(AssertionError, match=r"should have rung and did not: {'p-2': 1}"):
        await phones.ring({ANNA, BO})


async def test_who_was_reached_at_this_port_before_is_another_storys(phones: Phones) -> None:
    await call(phones, ANNA, url=phones.point(ANNA).url.rsplit("/", 2)[0] + "/other/p-1")
    await phones.are_silent()
