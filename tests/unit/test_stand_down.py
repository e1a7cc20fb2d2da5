"""Who was told that they need not come, and who is called all the same when the call widens later."""

from __future__ import annotations

import pytest

from dispatch.cases import CallOne, Case, Command, RaiseAlarm, StandDown, still_wanted
from dispatch.events import PlannedCall, Press
from dispatch.fanout.plan import step_plan
from dispatch.identifiers import CommitId, PersonId, PressId
from tests.unit.test_escalation import (
    ANNA,
    BO,
    FIRST,
    HOUSEHOLD,
    LI,
    answer,
    at,
    call,
    carry_out,
    duress,
    press,
    step,
    until,
    widen,
)


def stood_down(*who: PersonId, seconds: float = 9, rest: bool = False) -> StandDown:
    return StandDown(id=CommitId(f"sd-{seconds}"), at=at(seconds), by="operator:wang", responders=who, rest=rest)


def called_in(case: Case, number: int) -> set[PersonId]:
    return {who for step_of, who in case.calls if step_of == number}


def again(case: Case) -> Case:
    """The case after the next step, which calls again whom the roster and the case give."""
    due = until(case)
    assert due is not None
    return carry_out(step(case.position + 1, due, step_plan(case, ["again"], (), (), {})), case=case)[0]


@pytest.mark.parametrize("asked", [[], [widen(20)], [duress(20)]])
def test_whom_an_operator_stood_down_by_name_no_step_calls_again(asked: list[Command]) -> None:
    case, _ = carry_out(press(), stood_down(BO), *asked)
    case = again(case)
    assert called_in(case, 1) == {ANNA, LI}
    assert BO in case.stood_down
    assert not still_wanted(case, BO)
    assert called_in(again(case), 2) == {ANNA, LI}


def test_nor_does_a_step_that_was_planned_before_the_word() -> None:
    case, _ = carry_out(press())
    planned = step_plan(case, ["again"], (), (), {})
    case, _ = carry_out(stood_down(BO, seconds=44), step(1, 45, planned), case=case)
    assert called_in(case, 1) == {ANNA, LI}


def test_who_is_called_by_name_after_that_is_one_of_them_again() -> None:
    one = CallOne(id=CommitId("one"), at=at(20), by="operator:wang", call=call(BO))
    case, _ = carry_out(press(), stood_down(BO), one)
    assert still_wanted(case, BO)
    assert called_in(again(case), 2) == {ANNA, BO, LI}


def test_who_answers_all_the_same_counts() -> None:
    case, _ = carry_out(press(), stood_down(BO), answer(BO, "going", 20), answer(LI, "going", 21))
    assert case.dismissed == frozenset()
    assert case.stood_down == {ANNA, BO}


def test_another_press_that_calls_everybody_calls_them_too() -> None:
    """It is a new cry for help; what the operator said was said of what was known before."""
    fire = Press(press=PressId("p2"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(20), kind="fire")
    news = RaiseAlarm(id=CommitId("p2"), at=at(20), accepted_at=at(20), press=fire, plan=FIRST)
    assert called_in(carry_out(press(), stood_down(BO), news)[0], 1) == {ANNA, BO, LI}


@pytest.mark.parametrize("words", [stood_down(), stood_down(ANNA, BO, LI, rest=True)])
def test_the_rest_whom_an_operator_stood_down_are_called_again_when_the_call_widens(words: StandDown) -> None:
    case, _ = carry_out(press(), words)
    assert case.stood_down == {ANNA, BO, LI}
    assert called_in(again(case), 1) == {ANNA, BO, LI}


def test_whom_the_system_stood_down_is_called_again_when_it_is_not_enough_any_more() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5), answer(LI, "going", 6), answer(LI, "cannot", 60))
    assert case.stood_down == {BO}
    assert called_in(again(case), 1) == {BO}


def test_the_rest_are_those_whom_the_operator_saw() -> None:
    later = PlannedCall(responder=PersonId("wu"), reasons=call(BO).reasons, channels=("live",))
    one = CallOne(id=CommitId("one"), at=at(8), by="operator:li", call=later)
    case, _ = carry_out(press(), one, stood_down(ANNA, BO, LI, rest=True))
    assert still_wanted(case, PersonId("wu"))
