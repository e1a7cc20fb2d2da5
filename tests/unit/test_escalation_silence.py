"""Duress, and those who must not be called: what a case does then, and what those who pressed see of it."""

from __future__ import annotations

import pytest

from dispatch.cases import (
    CallOne,
    Cancel,
    LeaveOut,
    Pause,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    enough,
    waits_for,
)
from dispatch.errors import Conflict, Refused
from dispatch.events import (
    CallOutcome,
    DuressSignalled,
    Escalated,
    Press,
    PressedAgain,
    ResponderLeftOut,
)
from dispatch.identifiers import CommitId, PersonId, PressId
from tests.unit.escalation_story import (
    ANNA,
    BO,
    FIRST,
    HOUSEHOLD,
    LI,
    WANG,
    answer,
    at,
    call,
    carry_out,
    duress,
    press,
    step,
    until,
)


def cancelled_at_home(seconds: float) -> Cancel:
    return Cancel(id=CommitId(f"cancel-{seconds}"), at=at(seconds), by=f"device:{HOUSEHOLD}")


def test_duress_widens_at_once_and_the_case_goes_on_in_silence() -> None:
    case, events = carry_out(press(), answer(ANNA, "going", 5), duress(10))
    assert [type(event) for event in events] == [DuressSignalled]
    wait = waits_for(case)
    assert wait is not None
    assert (wait.because, until(case), case.is_open, case.silent) == ("duress", 10, True, True)
    case, events = carry_out(step(1, 10), case=case)
    assert [(e.because, e.by) for e in events if isinstance(e, Escalated)] == [("duress", "system")]
    assert {who for number, who in case.calls if number == 1} == {ANNA, WANG}, "who is going must know of it"
    wait = waits_for(case)
    assert wait is not None
    assert (wait.because, until(case)) == ("no_answer", 70)


@pytest.mark.parametrize("what", ["cannot", "on_scene"])
def test_under_duress_no_phone_rings_at_the_scene_nor_of_those_who_cannot_come(what: str) -> None:
    case, _ = carry_out(press(), answer(ANNA, what, 5), duress(10), step(1, 10))
    assert {who for number, who in case.calls if number == 1} == {WANG}


def test_duress_widens_also_when_it_is_enough_or_held_back() -> None:
    enough_come = (press(), answer(ANNA, "on_scene", 5), answer(LI, "going", 6))
    assert until(carry_out(*enough_come, duress(10))[0]) == 10
    paused = Pause(id=CommitId("pause"), at=at(7), by="op", until=at(600))
    assert until(carry_out(press(), paused, duress(10))[0]) == 10


def test_to_those_who_pressed_the_case_was_cancelled_then_and_nothing_came_after() -> None:
    before, _ = carry_out(press(), answer(ANNA, "going", 5))
    really, _ = carry_out(cancelled_at_home(10), case=before)
    case, _ = carry_out(duress(10), case=before)
    later, _ = carry_out(step(1, 10), answer(LI, "going", 20), case=case)
    for shown in (case.as_pressed, later.as_pressed):
        assert (shown.status, shown.closing, shown.replies, shown.seq) == (
            really.status, really.closing, really.replies, really.seq,
        )  # fmt: skip
    over = Resolve(id=CommitId("over"), at=at(30), by="op", resolution="helped")
    for pretended in (later, carry_out(over, case=later)[0]):
        for again in (cancelled_at_home(40), duress(40)):
            with pytest.raises(Conflict, match="is over \\(cancelled\\)"):
                carry_out(again, case=pretended)


def test_an_operator_still_cancels_and_a_press_is_recorded_on_the_case() -> None:
    case, _ = carry_out(press(), duress(10))
    again = Press(press=PressId("p2"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(30))
    case, events = carry_out(
        RaiseAlarm(id=CommitId("p2"), at=at(30), accepted_at=at(30), press=again, plan=FIRST), case=case
    )
    assert [type(event) for event in events] == [PressedAgain]
    assert carry_out(Cancel(id=CommitId("end"), at=at(40), by="operator:wang"), case=case)[0].status == "cancelled"


def leave_out(*who: PersonId, seconds: float = 7) -> LeaveOut:
    return LeaveOut(id=CommitId(f"out-{seconds}"), at=at(seconds), people=who, by="op")


def test_who_is_left_out_has_no_part_in_the_case_any_more() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5), answer(LI, "going", 6))
    assert enough(case)
    case, events = carry_out(leave_out(ANNA, WANG), case=case)
    assert [type(event) for event in events] == [ResponderLeftOut], "Wang was not called"
    assert (enough(case), case.called(), case.owed()[0].responder) == (False, {BO, LI}, BO)
    with pytest.raises(Refused):
        carry_out(answer(ANNA, "going", 8), case=case)
    case, _ = carry_out(step(1, 45), case=case)
    assert {who for number, who in case.calls if number == 1} == {WANG}, "not again either"
    case, _ = carry_out(CallOne(id=CommitId("one"), at=at(50), by="op", call=call(ANNA)), case=case)
    assert ANNA in case.called(), "an operator can call them by name"


def test_a_press_that_calls_again_calls_nobody_who_is_left_out() -> None:
    case, _ = carry_out(press(), leave_out(ANNA))
    fire = Press(press=PressId("p2"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(9), kind="fire")
    case, _ = carry_out(RaiseAlarm(id=CommitId("p2"), at=at(9), accepted_at=at(9), press=fire, plan=FIRST), case=case)
    assert {who for number, who in case.calls if number == 1} == {BO, LI}


def test_what_the_household_sees_after_its_own_cancel_is_frozen_with_and_without_duress() -> None:
    outcome = CallOutcome(step=0, responder=BO, channel="webhook", outcome="delivered", at=at(5))
    late = RecordCalls(id=CommitId("late"), at=at(6), outcomes=(outcome,))
    own = Cancel(id=CommitId("cancel"), at=at(3), by=f"device:{HOUSEHOLD}")
    by_desk = Cancel(id=CommitId("cancel"), at=at(3), by="operator:wang")
    seen = [carry_out(press(), end, late)[0].as_pressed for end in (own, duress(3))]
    assert [(one.seq, one.status, one.firsts.delivered) for one in seen] == [(2, "cancelled", None)] * 2
    assert carry_out(press(), by_desk, late)[0].as_pressed.firsts.delivered is not None
