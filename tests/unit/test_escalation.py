"""Escalation: given a case, what it waits for, when the call widens, and when it is enough."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dispatch.cases import (
    CallOne,
    Cancel,
    Case,
    Command,
    FallBack,
    GiveAnswer,
    HandOver,
    LeaveOut,
    Pause,
    Plan,
    Policy,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    SignalDuress,
    StandDown,
    TakeStep,
    Widen,
    decide,
    due_at,
    enough,
    fold,
    follows,
    is_overtaken,
    steps_of,
    still_rings,
    waits_for,
)
from dispatch.errors import Conflict, Refused
from dispatch.events import (
    CallOutcome,
    Commit,
    DuressSignalled,
    Escalated,
    Event,
    PlannedCall,
    PolicyStamped,
    PolicyStep,
    Press,
    Quorum,
    Reason,
    ResidentsSpared,
    ResponderLeftOut,
    RespondersCalled,
    RespondersStoodDown,
    Role,
)
from dispatch.fanout.reasons import AT_HOME, why_not
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId, PersonId, PressId, case_id_for

T0 = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HOUSEHOLD = HouseholdId("h-1")
CASE = case_id_for(HOUSEHOLD, PressId("p"))
ANNA, BO = PersonId("anna"), PersonId("bo")  # two neighbours
LI, WANG = PersonId("li"), PersonId("wang")  # two officers
POLICY = Policy(
    id="village",
    quorum=Quorum(neighbours=1, officers=1),
    steps=(
        PolicyStep(call=("group", "officers"), within_seconds=45),
        PolicyStep(call=("again", "neighbour_officers"), within_seconds=60),
        PolicyStep(call=("again", "command_centre"), within_seconds=30),
    ),
)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def call(who: PersonId, role: Role = "member") -> PlannedCall:
    return PlannedCall(responder=who, reasons=(Reason(role, "x"),), channels=("live", "webhook"))


FIRST = Plan(
    group=GroupId("g"),
    areas=(AreaId("v"),),
    calls=(call(ANNA), call(BO), call(LI, "auxiliary_officer")),
    policy=POLICY,
)
NEXT = Plan(group=GroupId("g"), areas=(AreaId("v"),), calls=(call(ANNA), call(WANG, "auxiliary_officer")))


def carry_out(*asked: Command, case: Case | None = None) -> tuple[Case, list[Event]]:
    """The case after `asked`, and what the last of them made happen."""
    case = case or Case()
    events: list[Event] = []
    for command in asked:
        events = decide(case, command)
        if events:
            commit = Commit(id=command.id, case=CASE, events=tuple(events), seq=case.seq + 1, stored_at=command.at)
            case = fold([commit], case)
    return case, events


def press(seconds: float = 0, plan: Plan = FIRST) -> RaiseAlarm:
    pressed = Press(press=PressId("p"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(seconds))
    return RaiseAlarm(id=CommitId("press"), at=at(seconds), accepted_at=at(seconds), press=pressed, plan=plan)


def answer(who: PersonId, what: str, seconds: float, eta: int | None = None) -> GiveAnswer:
    return GiveAnswer(
        id=CommitId(f"{who}-{what}-{seconds}"),
        at=at(seconds),
        responder=who,
        answer=what,  # type: ignore[arg-type]
        via="page",
        eta_minutes=eta,
    )


def recorded(seconds: float, **came_of: str) -> RecordCalls:
    outcomes = tuple(
        CallOutcome(step=0, responder=PersonId(who), channel=channel, outcome=what, at=at(seconds))  # type: ignore[arg-type]
        for who, what in came_of.items()
        for channel in ("live", "webhook")
    )
    return RecordCalls(id=CommitId(f"rec-{seconds}"), at=at(seconds), outcomes=outcomes)


def step(position: int, seconds: float, plan: Plan = NEXT) -> TakeStep:
    return TakeStep(
        id=CommitId(f"step-{position}-{seconds}"), at=at(seconds), position=position, plan=plan, because="no_answer"
    )


def widen(seconds: float) -> Widen:
    return Widen(id=CommitId(f"widen-{seconds}"), at=at(seconds), by="operator:wang")


def until(case: Case) -> float | None:
    wait = waits_for(case)
    assert wait is not None
    return None if wait.until is None else (wait.until - T0).total_seconds()


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


def closing(case: Case) -> bool:
    wait = waits_for(case)
    return wait is not None and (wait.what, wait.until) == ("closing", None)


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


def test_an_operator_holds_it_back_also_while_somebody_is_on_scene() -> None:
    paused = Pause(id=CommitId("pause"), at=at(32), by="operator:wang", until=at(600))
    assert until(carry_out(press(), answer(ANNA, "on_scene", 30), paused)[0]) == 600


def test_whoever_is_late_is_not_waited_for_once_the_first_is_there() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5, eta=4), answer(LI, "going", 6, eta=30))
    assert until(case) == 5 + 240 + 180
    assert closing(carry_out(answer(ANNA, "on_scene", 240), case=case)[0])


def test_a_pause_holds_the_escalation_and_runs_out() -> None:
    paused = Pause(id=CommitId("pause"), at=at(10), by="operator:wang", until=at(600))
    case, _ = carry_out(press(), paused)
    assert until(case) == 600
    assert carry_out(step(1, 45), case=case)[1] == []
    case, _ = carry_out(step(1, 600), case=case)
    assert (case.position, until(case)) == (1, 660)
    with pytest.raises(Conflict):
        carry_out(Pause(id=CommitId("p2"), at=at(10), by="op", until=at(9)), case=case)


def test_an_operator_stands_down_and_calls_one_more() -> None:
    case, events = carry_out(press(), StandDown(id=CommitId("sd"), at=at(9), by="operator:wang", responders=(BO,)))
    assert [e.responders for e in events if isinstance(e, RespondersStoodDown)] == [(BO,)]
    assert decide(case, StandDown(id=CommitId("sd2"), at=at(9), by="operator:wang", responders=(BO,))) == []
    case, _ = carry_out(CallOne(id=CommitId("one"), at=at(20), by="operator:wang", call=call(BO)), case=case)
    assert (case.stood_down, case.last_step) == (frozenset(), 1)


FIRE = Press(press=PressId("p2"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(44), kind="fire")


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


def duress(seconds: float) -> SignalDuress:
    return SignalDuress(id=CommitId(f"duress-{seconds}"), at=at(seconds), by=f"device:{HOUSEHOLD}")


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


LIVES_THERE = replace(FIRST, residents=(ANNA,))


def silent_press(seconds: float, id_: str = "s", plan: Plan = LIVES_THERE) -> RaiseAlarm:
    pressed = replace(press(seconds).press, press=PressId(id_), silent=True)
    return RaiseAlarm(id=CommitId(id_), at=at(seconds), accepted_at=at(seconds), press=pressed, plan=plan)


def spared(events: list[Event]) -> list[tuple[int, tuple[PersonId, ...]]]:
    return [(event.step, event.people) for event in events if isinstance(event, ResidentsSpared)]


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
    by_name = replace(owed, reasons=(Reason("asked", "operator:wang"),))
    assert still_rings(case, by_name), "an operator who calls them all the same"


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


def came_and_gave_up() -> Case:
    """After a last step that was repeated often it was enough, the others were thanked, and then it was not."""
    often = [step(position, 2000 * position) for position in range(1, 7)]
    came = [answer(ANNA, "going", 12050), answer(LI, "going", 12050)]
    return carry_out(press(), *often, *came, answer(ANNA, "cannot", 12060), answer(LI, "cannot", 12061))[0]


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


def test_who_came_and_is_left_out_then_has_given_up_too() -> None:
    often = [step(position, 2000 * position) for position in range(1, 7)]
    came = [answer(ANNA, "going", 12050), answer(LI, "going", 12050)]
    case, _ = carry_out(press(), *often, *came, leave_out(ANNA, seconds=12060))
    assert until(case) == 12060 + 30


def test_a_neighbour_whom_an_operator_called_by_name_is_still_a_neighbour() -> None:
    asked = PlannedCall(responder=ANNA, reasons=(Reason("asked", "operator:wang"),), channels=("live",))
    one = CallOne(id=CommitId("one"), at=at(3), by="operator:wang", call=asked)
    case, _ = carry_out(press(), one, answer(ANNA, "going", 5))
    assert enough(carry_out(answer(LI, "going", 6), case=case)[0])
    assert not enough(carry_out(answer(BO, "going", 6), case=case)[0]), "two neighbours and no officer"


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


def test_who_was_told_by_name_not_to_come_is_not_waited_for() -> None:
    word = StandDown(id=CommitId("sd"), at=at(9), by="operator:wang", responders=(LI,))
    case, _ = carry_out(press(), word)
    wait = waits_for(case)
    assert wait is not None
    assert wait.because == "pointless", "no other officer was called"
    assert until(carry_out(answer(LI, "going", 20), case=case)[0]) == 45, "who answers all the same counts"
