"""Escalation: given a case, what it waits for, when the call widens, and when it is enough."""

from __future__ import annotations

import pytest

from dispatch.cases import (
    CallOne,
    Command,
    HandOver,
    Plan,
    RaiseAlarm,
    Resolve,
    StandDown,
    decide,
    due_at,
    enough,
    lacking,
    waits_for,
)
from dispatch.errors import Conflict
from dispatch.events import (
    Escalated,
    PlannedCall,
    PolicyStamped,
    Reason,
    RespondersCalled,
    RespondersStoodDown,
)
from dispatch.identifiers import CommitId
from tests.unit.escalation_story import (
    ANNA,
    BO,
    FIRE,
    FIRST,
    LI,
    POLICY,
    T0,
    WANG,
    answer,
    at,
    call,
    came_and_gave_up,
    carry_out,
    closing,
    press,
    recorded,
    step,
    until,
    widen,
)


def test_the_policy_is_stamped_on_the_case_that_opens() -> None:
    _, events = carry_out(press())
    assert [type(event) for event in events[1:]] == [PolicyStamped, RespondersCalled]


def test_without_enough_answers_the_next_step_is_due_after_the_time_of_the_policy() -> None:
    case, _ = carry_out(press())
    assert until(case) == 45
    case, events = carry_out(press(), answer(ANNA, "going", 5), step(1, 45))
    assert [type(event) for event in events] == [Escalated, RespondersCalled]
    assert (case.position, case.last_step, until(case)) == (1, 1, 105)


def test_who_answered_while_the_step_was_planned_is_not_called() -> None:
    case, _ = carry_out(press(), answer(ANNA, "cannot", 44), step(1, 45))
    assert {who for number, who in case.calls if number == 1} == {WANG}


def test_the_last_step_is_repeated_until_it_is_enough_and_more_and_more_seldom() -> None:
    case, waited = carry_out(press(), step(1, 45), step(2, 105))[0], []
    for _ in range(8):
        due = until(case)
        assert due is not None
        waited.append(due - (case.stepped_at - T0).total_seconds())
        case, _ = carry_out(step(case.position + 1, due), case=case)
    assert waited == [30, 60, 120, 240, 480, 900, 900, 900]


@pytest.mark.parametrize("seconds", [0, 44.9])
def test_a_timer_that_comes_early_does_nothing(seconds: float) -> None:
    assert carry_out(press(), step(1, seconds))[1] == []


def test_a_timer_that_comes_twice_or_for_another_step_does_nothing() -> None:
    case, _ = carry_out(press(), step(1, 45))
    assert carry_out(step(1, 46), case=case)[1] == []
    assert carry_out(step(3, 500), case=case)[1] == []


def test_a_timer_after_the_end_does_nothing_and_an_operator_is_told() -> None:
    over = Resolve(id=CommitId("over"), at=at(10), by="op", resolution="helped")
    case, _ = carry_out(press(), over)
    assert waits_for(case) is None
    assert carry_out(step(1, 45), case=case)[1] == []
    with pytest.raises(Conflict):
        carry_out(widen(45), case=case)


def test_an_operator_widens_at_once() -> None:
    case, _ = carry_out(press(), widen(3))
    assert until(case) == 3
    assert carry_out(widen(4), case=case)[1] == [], "asked for already"
    case, events = carry_out(step(1, 3.1), case=case)
    assert [(e.by, e.because) for e in events if isinstance(e, Escalated)] == [("operator:wang", "operator")]
    assert (case.position, until(case)) == (1, 63.1)


def test_an_operator_widens_also_when_it_is_enough() -> None:
    case, _ = carry_out(press(), answer(ANNA, "on_scene", 90), answer(LI, "going", 91))
    assert enough(case)
    assert carry_out(widen(100), step(1, 100), case=case)[0].position == 1


def test_a_refusal_that_leaves_too_few_advances_at_once() -> None:
    case, _ = carry_out(press(), answer(LI, "cannot", 4))
    wait = waits_for(case)
    assert wait is not None
    assert (wait.because, until(case)) == ("pointless", 0)


def test_people_who_cannot_be_reached_are_not_waited_for() -> None:
    assert until(carry_out(press(), recorded(1, anna="sent", bo="sent", li="failed"))[0]) == 0
    assert until(carry_out(press(), recorded(1, anna="failed", bo="sent", li="delivered"))[0]) == 45, "bo may come"
    assert until(carry_out(press(), recorded(1, anna="sent", bo="sent", li="unknown"))[0]) == 45, "made again"


def test_an_empty_first_step_advances_at_once() -> None:
    nobody = Plan(group=None, areas=(), calls=(), policy=POLICY)
    assert until(carry_out(press(plan=nobody))[0]) == 0


def test_in_the_last_step_a_refusal_is_no_reason_to_hurry() -> None:
    case, _ = carry_out(press(), step(1, 45), step(2, 105))
    for who in (ANNA, BO, LI, WANG):
        case, _ = carry_out(answer(who, "cannot", 110), case=case)
    assert until(case) == 135


def test_enough_help_stands_down_those_who_have_not_answered() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5, eta=4))
    assert not enough(case)
    case, events = carry_out(answer(LI, "going", 6, eta=10), case=case)
    assert enough(case)
    assert [e.responders for e in events if isinstance(e, RespondersStoodDown)] == [(BO,)]
    wait = waits_for(case)
    assert wait is not None
    assert (wait.what, until(case)) == ("arrival", 5 + 4 * 60 + 180)


def test_how_many_more_are_needed_counts_each_part_of_what_is_asked_for() -> None:
    assert lacking(carry_out(press())[0]) == 2, "a neighbour and an officer"
    assert lacking(carry_out(press(), answer(ANNA, "on_scene", 5))[0]) == 1
    assert lacking(carry_out(press(), answer(ANNA, "going", 5), answer(BO, "going", 6))[0]) == 1, "no officer yet"
    assert lacking(carry_out(press(), answer(ANNA, "cannot", 5))[0]) == 2
    assert lacking(carry_out(press(), answer(ANNA, "going", 5), answer(LI, "going", 6))[0]) == 0


def test_one_answer_that_is_not_enough_silences_nobody() -> None:
    assert len(carry_out(press(), answer(ANNA, "going", 5))[1]) == 1
    assert len(carry_out(press(), answer(ANNA, "going", 5), answer(BO, "going", 6))[1]) == 1, "no officer yet"


def test_nobody_arrives_and_the_call_widens() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5), answer(LI, "going", 6))
    assert until(case) == 5 + 600 + 180
    case, events = carry_out(step(1, 785), case=case)
    assert isinstance(events[0], Escalated)
    assert until(case) == 845


def test_who_gives_up_after_it_was_enough_makes_it_widen_at_once() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5), answer(LI, "going", 6), answer(LI, "cannot", 60))
    assert not enough(case)
    assert until(case) == 0


def test_somebody_on_scene_is_not_enough_and_the_call_goes_on_widening() -> None:
    case, _ = carry_out(press(), answer(ANNA, "on_scene", 30))
    wait = waits_for(case)
    assert wait is not None
    assert (wait.what, wait.because, until(case)) == ("answers", "no_answer", 45)
    assert due_at(case) == at(45), "and it is late when nobody takes that step"
    case, _ = carry_out(step(1, 45), case=case)
    assert {who for number, who in case.calls if number == 1} == {WANG}, "no phone rings at the scene"
    assert until(case) == 105


def test_with_somebody_on_scene_and_the_quorum_reached_it_waits_for_the_closing() -> None:
    case, events = carry_out(press(), answer(ANNA, "going", 5), answer(LI, "on_scene", 30))
    assert closing(case), "who is going counts too"
    assert [e.responders for e in events if isinstance(e, RespondersStoodDown)] == [(BO,)]


def test_with_somebody_on_scene_each_step_is_taken_once_and_the_last_is_not_repeated() -> None:
    case, _ = carry_out(press(), answer(ANNA, "on_scene", 30), step(1, 45))
    assert not closing(case)
    case, _ = carry_out(step(2, 105), case=case)
    assert not enough(case)
    assert closing(case)
    assert carry_out(step(3, 5000), case=case)[1] == []


def test_the_last_step_is_repeated_once_nobody_is_on_scene_any_more() -> None:
    case, _ = carry_out(press(), answer(ANNA, "on_scene", 30), step(1, 45), step(2, 105))
    case, _ = carry_out(answer(ANNA, "cannot", 110), case=case)
    assert until(case) == 135
    case, _ = carry_out(step(3, 135), case=case)
    assert {who for number, who in case.calls if number == 3} == {WANG}


def test_who_leaves_the_scene_or_gives_up_while_one_is_there_makes_it_too_few_again() -> None:
    case, _ = carry_out(press(), answer(ANNA, "on_scene", 30), answer(LI, "going", 31), answer(LI, "cannot", 40))
    wait = waits_for(case)
    assert wait is not None
    assert (wait.because, until(case)) == ("pointless", 0), "no other officer was called"
    case, _ = carry_out(press(), answer(LI, "on_scene", 30), answer(ANNA, "going", 31), answer(ANNA, "cannot", 40))
    assert until(case) == 45, "Bo may come"


def test_where_those_called_cannot_be_enough_somebody_on_scene_does_not_hold_it_up() -> None:
    case, _ = carry_out(press(), answer(ANNA, "on_scene", 30), answer(LI, "cannot", 31))
    wait = waits_for(case)
    assert wait is not None
    assert wait.because == "pointless"


def test_whoever_is_late_is_not_waited_for_once_the_first_is_there() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5, eta=4), answer(LI, "going", 6, eta=30))
    assert until(case) == 5 + 240 + 180
    assert closing(carry_out(answer(ANNA, "on_scene", 240), case=case)[0])


def test_an_operator_stands_down_and_calls_one_more() -> None:
    case, events = carry_out(press(), StandDown(id=CommitId("sd"), at=at(9), by="operator:wang", responders=(BO,)))
    assert [e.responders for e in events if isinstance(e, RespondersStoodDown)] == [(BO,)]
    assert decide(case, StandDown(id=CommitId("sd2"), at=at(9), by="operator:wang", responders=(BO,))) == []
    case, _ = carry_out(CallOne(id=CommitId("one"), at=at(20), by="operator:wang", call=call(BO)), case=case)
    assert (case.stood_down, case.last_step) == (frozenset(), 1)


@pytest.mark.parametrize(
    "asked",
    [
        CallOne(id=CommitId("one"), at=at(44), by="operator:wang", call=call(WANG, "auxiliary_officer")),
        HandOver(id=CommitId("over"), at=at(44), by="operator:wang", calls=(call(WANG, "emergency_centre"),)),
        RaiseAlarm(id=CommitId("p2"), at=at(44), accepted_at=at(44), press=FIRE, plan=FIRST),
    ],
)
def test_who_is_called_by_hand_or_by_another_press_puts_off_no_step(asked: Command) -> None:
    case, _ = carry_out(press(), asked)
    assert case.last_step == 1
    assert until(case) == 45


def test_when_those_who_came_give_up_the_others_are_not_waited_for_as_long_as_at_the_end() -> None:
    """Everybody else was told to stay at home: the patience of a last step that was repeated often is not for that."""
    case = came_and_gave_up()
    assert case.stood_down
    assert until(case) == 12061 + 30


def test_one_more_called_by_hand_after_they_gave_up_puts_off_no_step() -> None:
    case = came_and_gave_up()
    for who in sorted(case.stood_down):
        one = CallOne(id=CommitId(f"one-{who}"), at=at(12070), by="operator:wang", call=call(who))
        case, _ = carry_out(one, case=case)
    assert (case.stood_down, until(case)) == (frozenset(), 12061 + 30)


def test_a_stand_down_brings_no_step_forward() -> None:
    often = [step(position, 2000 * position) for position in range(1, 7)]
    case, _ = carry_out(press(), answer(ANNA, "cannot", 5), *often)
    assert until(case) == 12000 + 480
    word = StandDown(id=CommitId("sd"), at=at(12100), by="operator:wang")
    assert until(carry_out(word, case=case)[0]) == 12000 + 480


def test_a_neighbour_whom_an_operator_called_by_name_is_still_a_neighbour() -> None:
    asked = PlannedCall(responder=ANNA, reasons=(Reason("asked", "operator:wang"),), channels=("live",))
    one = CallOne(id=CommitId("one"), at=at(3), by="operator:wang", call=asked)
    case, _ = carry_out(press(), one, answer(ANNA, "going", 5))
    assert enough(carry_out(answer(LI, "going", 6), case=case)[0])
    assert not enough(carry_out(answer(BO, "going", 6), case=case)[0]), "two neighbours and no officer"


def test_who_was_told_by_name_not_to_come_is_not_waited_for() -> None:
    word = StandDown(id=CommitId("sd"), at=at(9), by="operator:wang", responders=(LI,))
    case, _ = carry_out(press(), word)
    wait = waits_for(case)
    assert wait is not None
    assert wait.because == "pointless", "no other officer was called"
    assert until(carry_out(answer(LI, "going", 20), case=case)[0]) == 45, "who answers all the same counts"
