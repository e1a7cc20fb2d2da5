"""Given events, when a command, then events."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dispatch.cases import (
    Cancel,
    Case,
    Command,
    RaiseAlarm,
    decide,
    evolve,
)
from dispatch.cases.decisions import (
    ANSWERS_PER_PERSON,
    PRESSES_RECORDED,
    is_news,
    is_overtaken,
    is_repeat,
    was_passed_over,
)
from dispatch.errors import Conflict, DispatchError, NotFound
from dispatch.events import (
    AlarmRaised,
    CallsRecorded,
    CaseCancelled,
    CaseNoted,
    CaseResolved,
    PressedAgain,
    RespondersCalled,
)
from dispatch.identifiers import CommitId, GroupId, PressId
from tests.unit.decision_story import (
    ANNA,
    BO,
    CANCEL,
    CASE,
    HOUSEHOLD,
    NOTE,
    PLAN,
    RAISED,
    RESOLVE,
    STRANGER,
    T0,
    after,
    answer,
    at,
    given,
    outcome,
    press,
    record,
)


def test_a_later_press_that_is_silent_makes_the_case_silent_and_calls_again() -> None:
    case = given(*RAISED)
    silent = press("silent", 5, PLAN)
    silent = replace(silent, press=replace(silent.press, silent=True))
    again, called = decide(case, silent)
    assert isinstance(called, RespondersCalled)
    after = evolve(case, again)
    assert (case.silent, after.silent) == (False, True)
    assert not is_news(after, replace(silent, press=replace(silent.press, press=PressId("more"))))


@pytest.mark.parametrize("change", [{"device": "other"}, {"kind": "fire"}, {"silent": True}])
def test_the_id_of_another_device_or_emergency_is_no_repetition(change: dict[str, object]) -> None:
    same = press("press-1", 5, PLAN)
    assert is_repeat(given(*RAISED), same)
    assert not is_repeat(given(*RAISED), replace(same, press=replace(same.press, **change)))


def test_a_flood_swallows_no_news() -> None:
    case = Case()
    for number in range(25):
        for event in decide(case, press(f"p{number}", number / 10, PLAN)):
            case = evolve(case, event)
    assert len(case.presses) == 20
    fire = press("fire", 3, PLAN)
    fire = replace(fire, press=replace(fire.press, kind="fire"))
    assert [type(event) for event in decide(case, fire)] == [PressedAgain, RespondersCalled]


def test_the_first_press_raises_the_alarm_and_calls_everybody_at_once() -> None:
    assert decide(Case(), *RAISED) == [
        AlarmRaised(
            at=at(0.1),
            case=CASE,
            household=HOUSEHOLD,
            press=PressId("press-1"),
            device="key",
            kind="help",
            source="http",
            pressed_at=T0,
            accepted_at=T0,
            group=GroupId("g-1"),
            areas=PLAN.areas,
        ),
        RespondersCalled(at=at(0.1), step=0, calls=PLAN.calls),
    ]


def test_the_same_press_twice_is_one_press() -> None:
    assert decide(given(*RAISED), press("press-1", 5)) == []


def test_another_press_is_recorded_on_the_open_case() -> None:
    assert decide(given(*RAISED), press("press-2", 0.2)) == [
        PressedAgain(
            at=at(0.2 + 0.1),
            press=PressId("press-2"),
            device="key",
            kind="help",
            source="http",
            pressed_at=at(0.2),
            accepted_at=at(0.2),
        )
    ]


def test_a_press_that_knows_more_calls_everybody_again() -> None:
    fire = replace(press("fire", 30, plan=PLAN), press=replace(press("fire", 30).press, kind="fire"))
    events = decide(given(*RAISED), fire)
    assert [type(event) for event in events] == [PressedAgain, RespondersCalled]
    assert events[1] == RespondersCalled(at=at(30.1), step=1, calls=PLAN.calls)
    case = given(*RAISED, fire)
    assert (case.kind, case.last_step) == ("fire", 1)
    more = replace(fire, id=CommitId("more"), press=replace(fire.press, press=PressId("more")))
    assert [type(event) for event in decide(case, more)] == [PressedAgain], "what is known already calls nobody"


def test_a_case_that_nobody_closed_does_not_swallow_the_next_emergency() -> None:
    assert not is_news(given(*RAISED), press("soon", 200))
    late = press("late", 400, plan=PLAN)
    assert is_news(given(*RAISED), late)
    assert [type(event) for event in decide(given(*RAISED), late)] == [PressedAgain, RespondersCalled]


@pytest.mark.parametrize(("seconds", "drill", "repeat"), [(300, False, True), (900, False, False), (300, True, False)])
def test_an_id_used_twice_is_a_repetition_only_for_a_while_and_only_in_earnest(
    seconds: float, drill: bool, repeat: bool
) -> None:
    over = given(*RAISED, CANCEL)
    assert is_repeat(over, press("press-1", seconds, drill=drill)) is repeat


def test_what_does_not_fit_a_case_cannot_stop_it_from_being_read() -> None:
    ghost = CallsRecorded(at=at(5), outcomes=(outcome(STRANGER, "sent"),))
    assert after(given(*RAISED), [ghost]).called() == {ANNA, BO}


def test_a_flood_of_presses_is_recorded_once_in_ten_seconds() -> None:
    flooded = given(*RAISED, *(press(f"more-{n}", n / 100) for n in range(100)))
    assert len(flooded.presses) == 20
    assert decide(flooded, press("soon", 9)) == []
    assert [type(e) for e in decide(flooded, press("later", 11))] == [PressedAgain]


def test_a_drill_press_on_a_real_case_is_nothing() -> None:
    assert decide(given(*RAISED), press("exercise", 5, drill=True)) == []


def test_a_real_press_overtakes_a_drill_and_nothing_else() -> None:
    real, exercise = press("real"), press("exercise", drill=True)
    drill = given(press("first", plan=PLAN, drill=True))
    assert is_overtaken(drill, real.press)
    assert not is_overtaken(drill, exercise.press)
    assert not is_overtaken(given(*RAISED), real.press)
    assert not is_overtaken(Case(), real.press)


def test_closing() -> None:
    case = given(*RAISED)
    assert decide(case, RESOLVE) == [CaseResolved(at=at(600), by="op", resolution="helped", text="thief gone")]
    assert decide(case, CANCEL) == [CaseCancelled(at=at(30), by="device", reason="a slip")]
    assert given(*RAISED, RESOLVE).status == "resolved"
    assert given(*RAISED, CANCEL).status == "cancelled"


def test_a_person_answers_a_case_so_often_and_no_more() -> None:
    """Each answer is a commit that everybody reads who loads the case."""
    changes = [answer(ANNA, "going", seconds=n, eta=n % 2 + 1, name=f"r{n}") for n in range(ANSWERS_PER_PERSON)]
    case = given(*RAISED, *changes)
    assert decide(case, changes[-1]) == [], "the same again changes nothing"
    with pytest.raises(Conflict, match="command centre by telephone"):
        decide(case, answer(ANNA, "on_scene", seconds=900))
    assert decide(case, answer(BO, "on_scene", seconds=900)), "nobody else is kept from it"


@pytest.mark.parametrize("command", [press("late", 700), answer(ANNA, "going"), RESOLVE, CANCEL])
def test_what_cannot_be_done_on_a_case_that_is_over(command: Command) -> None:
    closed = given(*RAISED, Cancel(id=CommitId("c2"), at=at(20), by="op"))
    with pytest.raises(Conflict, match="is over"):
        decide(closed, command)


def test_notes_and_late_outcomes_are_still_written_down_after_the_end() -> None:
    closed = given(*RAISED, RESOLVE)
    assert decide(closed, NOTE) == [CaseNoted(at=at(700), note="note", author="op", text="door was open")]
    assert len(decide(closed, record(outcome(ANNA, "delivered", 650)))) == 1


@pytest.mark.parametrize("command", [answer(ANNA, "going"), RESOLVE, CANCEL, NOTE, record(outcome(ANNA, "sent"))])
def test_nothing_can_be_done_on_a_case_that_has_not_begun(command: Command) -> None:
    with pytest.raises(NotFound) as refused:
        decide(Case(), command)
    assert isinstance(refused.value, DispatchError)
    assert refused.value.problem()["status"] == 404


def test_a_press_without_a_plan_cannot_open_a_case() -> None:
    with pytest.raises(ValueError, match="plan"):
        decide(Case(), press("press-1"))


def many(*, drill: bool) -> list[RaiseAlarm]:
    first = press("m-0", 0, PLAN, drill=drill)
    return [first, *(press(f"m-{number}", number, drill=drill) for number in range(1, PRESSES_RECORDED))]


def test_an_alarm_in_earnest_is_not_taken_for_one_of_the_many_of_a_drill_that_it_ended() -> None:
    case = given(*many(drill=True), replace(CANCEL, at=at(60), by="system"))
    assert case.closing is not None
    assert not was_passed_over(case, press("real", 25))
    assert was_passed_over(case, press("more", 25, drill=True))


def test_news_that_came_before_a_closing_is_not_passed_over() -> None:
    case = given(*many(drill=False), replace(RESOLVE, at=at(60)))
    assert was_passed_over(case, press("more", 25))
    fire = press("fire", 25)
    assert not was_passed_over(case, replace(fire, press=replace(fire.press, kind="fire")))
