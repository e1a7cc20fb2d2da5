"""A key that is stuck: what is passed over, and what never is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dispatch.events import Press
from dispatch.fanout import floods
from dispatch.fanout.floods import LATELY, LETTERS, LETTERS_WITHIN, MANY, Floods
from dispatch.identifiers import HouseholdId, PressId

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
PRESS = Press(press=PressId("p"), household=HouseholdId("h-1"), device="d", source="mqtt", pressed_at=START)


def stuck(presses: int, seen_open: datetime = START + timedelta(seconds=20)) -> Floods:
    """A key that pressed so often within a second, on a case that was seen open at last at `seen_open`."""
    floods = Floods()
    for number in range(presses):
        floods.taken(PRESS, START + timedelta(seconds=number / presses), seen_open)
    return floods


def test_many_presses_that_say_the_same_are_passed_over_for_a_while() -> None:
    soon = START + timedelta(seconds=2)
    assert not stuck(MANY - 1).is_flooded(PRESS, soon)
    assert stuck(MANY).is_flooded(PRESS, soon)
    assert stuck(MANY).is_flooded(replace(PRESS, press=PressId("another")), soon)
    assert not stuck(MANY).is_flooded(PRESS, START + LATELY)


def test_a_press_after_the_case_was_last_seen_open_never_is() -> None:
    """It may be over by now: twenty presses, a cancel, and one more in earnest, all within ten seconds."""
    floods = stuck(MANY, seen_open=START + timedelta(seconds=2))
    assert floods.is_flooded(PRESS, START + timedelta(seconds=0.9))
    for seconds in (1, 2, 5):
        assert not floods.is_flooded(PRESS, START + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "change",
    [{"household": "h-2"}, {"device": "page"}, {"kind": "fire"}, {"silent": True}, {"drill": True}],
    ids=lambda change: next(iter(change)),
)
def test_what_says_something_else_never_is(change: dict[str, object]) -> None:
    assert not stuck(MANY).is_flooded(replace(PRESS, **change), START + timedelta(seconds=2))


def rubbish_of(floods: Floods, household: str, number: int) -> None:
    for seq in range(number):
        assert not floods.is_rubbish(household, seq, START + timedelta(seconds=seq))


def test_what_cannot_be_read_is_put_aside_so_often_for_each_household_and_again_after_a_while() -> None:
    floods = Floods()
    rubbish_of(floods, "h-1", LETTERS)
    assert floods.is_rubbish("h-1", LETTERS, START + timedelta(minutes=1))
    assert not floods.is_rubbish("h-2", LETTERS, START + timedelta(minutes=1))
    assert not floods.is_rubbish("h-1", LETTERS, START + LETTERS_WITHIN)


def test_an_unreadable_message_that_comes_again_is_not_passed_over_for_that() -> None:
    """It could not be put aside the first time: nothing else is left of it."""
    floods = Floods()
    rubbish_of(floods, "h-1", LETTERS)
    for seq in range(LETTERS):
        assert not floods.is_rubbish("h-1", seq, START + timedelta(seconds=seq))


def test_of_how_many_households_that_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floods, "REMEMBERED", 2)
    known = Floods()
    for household in ("h-1", "h-2"):
        rubbish_of(known, household, LETTERS)
    assert known.is_rubbish("h-1", LETTERS, START + timedelta(minutes=1))
    rubbish_of(known, "h-3", 1)
    assert known.is_rubbish("h-1", LETTERS, START + timedelta(minutes=1)), "it sent later than the other"
    assert not known.is_rubbish("h-2", LETTERS, START + timedelta(minutes=1))
