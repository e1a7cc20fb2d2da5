"""What is known of calls and of answers: given what happened, when it is recorded, then what is news."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dispatch.cases import (
    decide,
)
from dispatch.errors import Forbidden
from dispatch.events import (
    CallOutcome,
    CallsRecorded,
    ResponderReplied,
)
from tests.unit.decision_story import ANNA, BO, RAISED, STRANGER, after, answer, at, given, outcome, record


def test_every_outcome_is_recorded_and_the_first_that_was_sent_dates_the_call() -> None:
    outcomes = (outcome(ANNA, "failed", 1, "live"), outcome(ANNA, "sent", 3), outcome(BO, "sent", 2))
    case = given(*RAISED)
    events = decide(case, record(*outcomes))
    assert events == [CallsRecorded(at=at(2), outcomes=outcomes)]
    case = after(case, events)
    assert case.firsts.called == at(2)
    assert [c.owed() for c in case.calls.values()] == [(), ("live",)]
    assert case.calls[0, ANNA].best() == outcomes[1]


@pytest.mark.parametrize(
    ("known", "said", "is_news"),
    [
        ("unknown", "sent", True),
        ("failed", "sent", True),
        ("sent", "delivered", True),
        ("delivered", "seen", True),
        ("sent", "sent", False),
        ("delivered", "sent", False),
        ("sent", "failed", False),
        ("sent", "unknown", False),
    ],
)
def test_what_is_known_of_a_call_never_goes_back(known: str, said: str, is_news: bool) -> None:
    case = given(*RAISED, record(outcome(ANNA, known)))
    assert bool(decide(case, record(outcome(ANNA, said, 5)))) is is_news


@pytest.mark.parametrize(
    ("known", "said", "is_news"),
    [
        (outcome(ANNA, "sent", 3, "sms"), outcome(ANNA, "failed", 5, "sms"), True),
        (outcome(ANNA, "sent", 5, "sms"), outcome(ANNA, "failed", 3, "sms"), False),
        (outcome(ANNA, "failed", 5, "sms"), outcome(ANNA, "sent", 3, "sms"), False),
        (outcome(ANNA, "failed", 5, "sms"), outcome(ANNA, "sent", 5, "sms"), False),
        (outcome(ANNA, "failed", 3, "sms"), outcome(ANNA, "sent", 5, "sms"), True),
        (outcome(ANNA, "delivered", 3, "sms"), outcome(ANNA, "failed", 5, "sms"), False),
        (outcome(ANNA, "failed", 5, "sms"), outcome(ANNA, "delivered", 3, "sms"), True),
    ],
)
def test_of_a_text_that_was_sent_and_one_that_failed_the_later_word_holds(
    known: CallOutcome, said: CallOutcome, is_news: bool
) -> None:
    """An SMSC takes a text first and says later that it could not be delivered."""
    case = given(*RAISED, record(known))
    assert bool(decide(case, record(said))) is is_news


def test_a_call_that_two_crashes_left_unknown_counts_both() -> None:
    case = given(*RAISED, record(outcome(ANNA, "unknown")))
    again = replace(outcome(ANNA, "unknown"), attempt=2)
    assert decide(case, record(again)) == [CallsRecorded(at=at(2), outcomes=(again,))]


def test_an_outcome_of_a_call_that_nobody_made_is_nothing() -> None:
    assert decide(given(*RAISED), record(outcome(STRANGER, "sent"), outcome(ANNA, "sent", step=7))) == []


def test_an_unknown_call_is_owed_again() -> None:
    case = given(*RAISED, record(outcome(ANNA, "unknown"), outcome(ANNA, "failed", channel="live")))
    assert case.calls[0, ANNA].owed() == ("webhook",)


def test_answers_move_the_case_and_a_changed_mind_moves_it_back() -> None:
    case = given(*RAISED)
    assert case.status == "raised"
    assert decide(case, answer(ANNA, "going", eta=5)) == [
        ResponderReplied(
            at=at(10),
            reply="r-anna-going-5",
            responder=ANNA,
            answer="going",
            via="page",
            eta_minutes=5,
        )
    ]
    assert given(*RAISED, answer(ANNA, "going")).status == "under_way"
    assert given(*RAISED, answer(ANNA, "going"), answer(ANNA, "cannot", 20)).status == "raised"
    there = given(*RAISED, answer(ANNA, "going"), answer(BO, "on_scene", 20))
    assert there.status == "on_scene"
    assert (there.firsts.answered, there.firsts.going, there.firsts.on_scene) == (at(10), at(10), at(20))


def test_the_same_answer_again_is_nothing_but_a_new_eta_is_news() -> None:
    case = given(*RAISED, answer(ANNA, "going", eta=5))
    assert decide(case, answer(ANNA, "going", 30, eta=5, name="again")) == []
    assert len(decide(case, answer(ANNA, "going", 30, eta=9))) == 1


def test_an_answer_silences_nobody() -> None:
    case = given(*RAISED, answer(ANNA, "on_scene"))
    assert {call.responder for call in case.owed()} == {ANNA, BO}


def test_only_somebody_who_was_called_can_answer() -> None:
    with pytest.raises(Forbidden):
        decide(given(*RAISED), answer(STRANGER, "going"))
