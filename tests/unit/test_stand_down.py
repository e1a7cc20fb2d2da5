"""Who was told that they need not come, and who is called all the same when the call widens later."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dispatch.cases import CallOne, Case, Command, RaiseAlarm, StandDown, follows, still_wanted
from dispatch.events import PlannedCall, Press, Reason, RespondersStoodDown
from dispatch.fanout.plan import step_plan
from dispatch.identifiers import CaseId, CommitId, PersonId, PressId
from tests.unit.escalation_story import (
    ANNA,
    BO,
    FIRST,
    HOUSEHOLD,
    LI,
    NEXT,
    WANG,
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


ALSO = replace(NEXT, calls=(replace(call(BO), channels=("live",), then=("sms",)), call(WANG, "auxiliary_officer")))
"""Whom the step calls when those who are coming are late."""


def late(*asked: Command, beside: CaseId | None = None) -> Case:
    """It was enough, nobody arrived, and others were called; then `asked`."""
    coming = (answer(ANNA, "going", 5, eta=1), answer(LI, "going", 6, eta=1))
    return carry_out(replace(press(), beside=beside), *coming, step(1, 400, ALSO), *asked)[0]


def by_name(who: PersonId, seconds: float) -> CallOne:
    asked = replace(call(who), reasons=(Reason("asked", "operator:wang"),))
    return CallOne(id=CommitId(f"one-{seconds}"), at=at(seconds), by="operator:wang", call=asked)


def test_those_called_because_the_others_were_late_are_stood_down_by_the_first_arrival() -> None:
    before = late()
    assert [one.responder for one in follows(before)] == [BO]
    case, events = carry_out(answer(ANNA, "on_scene", 410), case=before)
    assert [(e.responders, e.by_name) for e in events if isinstance(e, RespondersStoodDown)] == [((BO, WANG), False)]
    assert (case.awaited, follows(case)) == (frozenset(), ())
    assert len(carry_out(answer(LI, "on_scene", 420), case=case)[1]) == 1, "once"


def test_one_who_is_only_going_stands_none_of_them_down_nor_does_an_arrival_that_is_not_enough() -> None:
    assert len(carry_out(answer(WANG, "going", 410), case=late())[1]) == 1
    assert len(carry_out(answer(ANNA, "on_scene", 410), case=late(answer(LI, "cannot", 405)))[1]) == 1


@pytest.mark.parametrize("named", [[by_name(BO, 300)], [by_name(BO, 405)]], ids=["before", "after"])
def test_whom_an_operator_called_by_name_no_arrival_stands_down(named: list[Command]) -> None:
    coming = (answer(ANNA, "going", 5, eta=1), answer(LI, "going", 6, eta=1))
    asked = sorted([*named, step(1, 400, ALSO), answer(ANNA, "on_scene", 410)], key=lambda command: command.at)
    case, _ = carry_out(press(), *coming, *asked)
    assert still_wanted(case, BO)
    assert not still_wanted(case, WANG)


def test_whom_an_operator_who_widens_or_another_press_has_called_since_no_arrival_stands_down() -> None:
    fire = Press(press=PressId("p2"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(405), kind="fire")
    news = RaiseAlarm(id=CommitId("p2"), at=at(405), accepted_at=at(405), press=fire, plan=FIRST)
    case, _ = carry_out(answer(ANNA, "on_scene", 410), case=late(news))
    assert still_wanted(case, BO)
    assert not still_wanted(case, WANG), "the press called nobody but the first"
    case, _ = carry_out(answer(ANNA, "on_scene", 410), case=late(widen(405), step(2, 405, ALSO)))
    assert still_wanted(case, WANG)


def test_under_duress_no_arrival_stands_anybody_down() -> None:
    for case in (late(duress(405)), carry_out(step(2, 405, ALSO), case=late(duress(405)))[0]):
        assert still_wanted(carry_out(answer(ANNA, "on_scene", 410), case=case)[0], BO)


def test_beside_a_case_under_duress_an_arrival_stands_down_whom_it_does_after_a_cancel() -> None:
    """Whose case it is sees who is stood down. That they need not come nobody is told while the other goes on."""
    arrival, other = answer(ANNA, "on_scene", 410), CaseId("h-1-AAAAAAAA")
    cases = [carry_out(arrival, case=late(beside=beside))[0] for beside in (None, other)]
    assert [case.beside for case in cases] == [None, other]
    assert [case.stood_down for case in cases] == [{BO, WANG}] * 2
