"""Silence and danger: what the steps do under duress, where people live at the scene, and for who is left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from dispatch.cases import (
    Cancel,
    Command,
    FallBack,
    Pause,
    Plan,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    decide,
    enough,
    follows,
    is_overtaken,
    steps_of,
    still_rings,
    waits_for,
)
from dispatch.errors import Conflict, Refused
from dispatch.events import (
    CallOutcome,
    DuressSignalled,
    Escalated,
    PlannedCall,
    PolicyStamped,
    Press,
    Quorum,
    Reason,
    ResponderLeftOut,
    RespondersCalled,
)
from dispatch.fanout.reasons import AT_HOME, why_not
from dispatch.identifiers import CommitId, PressId
from tests.unit.escalation_story import (
    ANNA,
    BO,
    FIRST,
    HOUSEHOLD,
    LI,
    LIVES_THERE,
    POLICY,
    WANG,
    answer,
    at,
    call,
    cancelled_at_home,
    carry_out,
    duress,
    leave_out,
    press,
    silent_press,
    spared,
    step,
    until,
)


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


def test_an_operator_still_cancels_a_case_under_duress() -> None:
    case, _ = carry_out(press(), duress(10))
    assert carry_out(Cancel(id=CommitId("end"), at=at(40), by="operator:wang"), case=case)[0].status == "cancelled"


@pytest.mark.parametrize("end", [cancelled_at_home, duress])
def test_a_press_after_a_duress_is_none_on_that_case_as_it_is_after_a_cancel(
    end: Callable[[float], Command],
) -> None:
    case, _ = carry_out(press(), end(10))
    known = replace(press(20).press, pressed_at=at(0))
    again = RaiseAlarm(id=CommitId("again"), at=at(20), accepted_at=at(20), press=known, plan=FIRST)
    assert decide(case, again) == [], "a press that was heard already opens nothing"
    with pytest.raises(Conflict, match=r"is over \(cancelled\)"):
        decide(case, replace(again, press=replace(known, press=PressId("p2"))))
    assert not is_overtaken(case, known)


def test_who_lives_there_is_called_to_a_loud_alarm_and_not_to_a_silent_one() -> None:
    loud, events = carry_out(press(plan=LIVES_THERE))
    assert (loud.called(), spared(events)) == ({ANNA, BO, LI}, [])
    silent, events = carry_out(silent_press(0))
    assert silent.called() == {BO, LI}
    assert silent.spared == {ANNA}
    assert spared(events) == [(0, (ANNA,))]
    later, events = carry_out(step(1, 45), case=silent)
    assert later.called() == {BO, LI, WANG}
    assert spared(events) == [(1, (ANNA,))]


def test_a_silent_press_on_a_loud_case_rings_no_more_where_they_live() -> None:
    both = PlannedCall(responder=ANNA, reasons=(Reason("member", "x"),), channels=("live",), then=("sms",))
    loud, _ = carry_out(press(plan=replace(LIVES_THERE, calls=(both, call(BO)))))
    assert [one.responder for one in follows(loud)] == [ANNA]
    case, events = carry_out(silent_press(5, plan=LIVES_THERE), case=loud)
    assert (spared(events), {who for number, who in case.calls if number == 1}) == ([(1, (ANNA,))], {BO, LI})
    assert follows(case) == ()


def test_a_next_channel_that_was_to_ring_before_a_silent_press_rings_no_more_where_they_live() -> None:
    both = PlannedCall(responder=ANNA, reasons=(Reason("member", "x"),), channels=("live",), then=("sms",))
    loud, _ = carry_out(press(plan=replace(LIVES_THERE, calls=(both,))), FallBack(id=CommitId("fb"), at=at(20)))
    case, _ = carry_out(silent_press(21), case=loud)
    owed = case.calls[0, ANNA]
    assert "sms" in owed.owed()
    assert [still_rings(loud, owed), still_rings(case, owed)] == [True, False]
    assert why_not(case, owed) == AT_HOME
    assert still_rings(case, replace(owed, insisted=True)), "an operator who calls them all the same"


def test_under_duress_the_steps_pass_over_who_lives_there_and_their_answer_counts_no_more() -> None:
    case, _ = carry_out(press(plan=LIVES_THERE), answer(ANNA, "on_scene", 5), duress(10))
    assert (case.status, case.replies) == ("raised", {})
    case, events = carry_out(step(1, 10), case=case)
    assert (spared(events), {who for number, who in case.calls if number == 1}) == ([(1, (ANNA,))], {WANG})
    assert (case.as_known_by(ANNA).status, case.as_known_by(BO).status) == ("cancelled", "raised")
    with pytest.raises(Conflict, match=r"is over \(cancelled\)"):
        carry_out(answer(ANNA, "on_scene", 20), case=case)


def test_a_drill_under_duress_is_one_no_more_and_keeps_to_the_real_policy() -> None:
    drill = replace(press().press, drill=True)
    own = replace(FIRST, policy=replace(POLICY, steps=POLICY.steps[:1]))
    opened = RaiseAlarm(id=CommitId("press"), at=at(0), accepted_at=at(0), press=drill, plan=own)
    before, _ = carry_out(opened, answer(ANNA, "cannot", 5), answer(BO, "on_scene", 6), answer(LI, "going", 7))
    case, _ = carry_out(duress(10), case=before)
    assert (before.drill, case.drill, case.as_pressed.drill) == (True, False, True)
    assert (case.replies, case.stood_down, case.firsts.answered, until(case)) == ({}, frozenset(), None, 10)
    again = Plan(group=None, areas=(), calls=(call(ANNA), call(BO), call(WANG, "auxiliary_officer")), policy=POLICY)
    case, events = carry_out(step(1, 10, plan=again), case=case)
    assert [type(event) for event in events] == [PolicyStamped, Escalated, RespondersCalled]
    assert {who for number, who in case.calls if number == 1} == {ANNA, BO, WANG}
    assert (steps_of(case), until(case)) == (POLICY.steps, 70)
    real = Press(press=PressId("real"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(30))
    assert is_overtaken(before, real)
    assert not is_overtaken(case, real), "it is no drill that a press in earnest could end"


def test_who_is_left_out_has_no_part_in_the_case_any_more() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5), answer(LI, "going", 6))
    assert enough(case)
    case, events = carry_out(leave_out(ANNA, WANG), case=case)
    assert [type(event) for event in events] == [ResponderLeftOut] * 2, "Wang was not called yet"
    assert (enough(case), case.called(), case.owed()[0].responder) == (False, {BO, LI}, BO)
    with pytest.raises(Refused):
        carry_out(answer(ANNA, "going", 8), case=case)
    case, _ = carry_out(step(1, 45), case=case)
    assert {who for number, who in case.calls if number == 1} == set(), "neither again nor for the first time"


def test_a_press_that_calls_again_calls_nobody_who_is_left_out() -> None:
    case, _ = carry_out(press(), leave_out(ANNA))
    fire = Press(press=PressId("p2"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(9), kind="fire")
    case, _ = carry_out(RaiseAlarm(id=CommitId("p2"), at=at(9), accepted_at=at(9), press=fire, plan=FIRST), case=case)
    assert {who for number, who in case.calls if number == 1} == {BO, LI}


def test_who_came_and_is_left_out_then_has_given_up_too() -> None:
    often = [step(position, 2000 * position) for position in range(1, 7)]
    came = [answer(ANNA, "going", 12050), answer(LI, "going", 12050)]
    case, _ = carry_out(press(), *often, *came, leave_out(ANNA, seconds=12060))
    assert until(case) == 12060 + 30


def test_what_the_household_sees_after_its_own_cancel_is_frozen_with_and_without_duress() -> None:
    outcome = CallOutcome(step=0, responder=BO, channel="webhook", outcome="delivered", at=at(5))
    late = RecordCalls(id=CommitId("late"), at=at(6), outcomes=(outcome,))
    own = Cancel(id=CommitId("cancel"), at=at(3), by=f"device:{HOUSEHOLD}")
    by_desk = Cancel(id=CommitId("cancel"), at=at(3), by="operator:wang")
    seen = [carry_out(press(), end, late)[0].as_pressed for end in (own, duress(3))]
    assert [(one.seq, one.status, one.firsts.delivered) for one in seen] == [(2, "cancelled", None)] * 2
    assert carry_out(press(), by_desk, late)[0].as_pressed.firsts.delivered is not None


def test_under_duress_who_lives_there_is_not_waited_for() -> None:
    """They may not answer: that the officers cannot come leaves nobody, though two who live there were called."""
    anyone = replace(FIRST, policy=replace(POLICY, quorum=Quorum(anyone=2)), residents=(ANNA, BO))
    two = Plan(group=None, areas=(), calls=(call(LI, "auxiliary_officer"), call(WANG, "auxiliary_officer")))
    case, _ = carry_out(press(plan=anyone), duress(10), step(1, 10, plan=two), answer(LI, "cannot", 12))
    wait = waits_for(case)
    assert wait is not None
    assert (wait.because, until(case)) == ("pointless", 10)
