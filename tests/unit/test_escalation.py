"""Escalation: given a case, what it waits for, when the call widens, and when it is enough."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.cases import (
    CallOne,
    Cancel,
    Case,
    Command,
    GiveAnswer,
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
    enough,
    fold,
    follows,
    is_overtaken,
    steps_of,
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
    case, _ = carry_out(press(), answer(ANNA, "on_scene", 90), widen(100), step(1, 100))
    assert case.position == 1


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


def test_somebody_on_scene_ends_the_escalation() -> None:
    case, _ = carry_out(press(), answer(ANNA, "on_scene", 90))
    wait = waits_for(case)
    assert wait is not None
    assert (wait.what, wait.until) == ("closing", None)


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
    assert (case.stood_down, case.last_step, until(case)) == (frozenset(), 1, 65)


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


moments = st.integers(0, 2000).map(lambda s: at(float(s)))
ids = st.integers(0, 10**9).map(lambda n: CommitId(f"c{n}"))
people = st.sampled_from([ANNA, BO, LI, WANG])
plans = st.sampled_from([FIRST, NEXT, Plan(group=None, areas=(), calls=())])
anything: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        RaiseAlarm, id=ids, at=moments, accepted_at=moments, plan=plans, press=st.just(press().press)
    ),
    st.builds(
        RecordCalls, id=ids, at=moments,
        outcomes=st.lists(
            st.builds(
                CallOutcome, step=st.integers(0, 3), responder=people, channel=st.sampled_from(["live", "webhook"]),
                outcome=st.sampled_from(["unknown", "failed", "sent", "delivered", "seen"]), at=moments,
            ), max_size=4,
        ).map(tuple),
    ),
    st.builds(
        GiveAnswer, id=ids, at=moments, responder=people, answer=st.sampled_from(["going", "cannot", "on_scene"]),
        via=st.just("page"), eta_minutes=st.none() | st.integers(0, 60),
    ),
    st.builds(
        TakeStep, id=ids, at=moments, position=st.integers(0, 5), plan=plans, because=st.just("no_answer"),
    ),
    st.builds(Widen, id=ids, at=moments, by=st.just("op")),
    st.builds(StandDown, id=ids, at=moments, by=st.just("op"), responders=st.lists(people, max_size=2).map(tuple)),
    st.builds(Pause, id=ids, at=moments, by=st.just("op"), until=moments),
    st.builds(CallOne, id=ids, at=moments, by=st.just("op"), call=people.map(call)),
    st.builds(Cancel, id=ids, at=moments, by=st.sampled_from(["op", f"device:{HOUSEHOLD}"])),
    st.builds(SignalDuress, id=ids, at=moments, by=st.just(f"device:{HOUSEHOLD}")),
    st.builds(LeaveOut, id=ids, at=moments, by=st.just("op"), people=st.lists(people, max_size=2).map(tuple)),
)  # fmt: skip


def after(asked: list[Command]) -> Case:
    case = Case()
    for command in asked:
        with contextlib.suppress(Refused):
            case, _ = carry_out(command, case=case)
    return case


@settings(max_examples=300, deadline=None)
@given(st.lists(anything, max_size=25))
def test_an_open_case_always_waits_for_something(asked: list[Command]) -> None:
    case = after(asked)
    wait = waits_for(case)
    assert (wait is not None) == case.is_open
    if wait is not None:
        assert wait.until is not None or case.status == "on_scene"


@settings(max_examples=300, deadline=None)
@given(st.lists(anything, max_size=15), st.lists(anything, max_size=15))
def test_under_duress_those_who_pressed_see_a_cancelled_case_for_good(
    before: list[Command], then: list[Command]
) -> None:
    case = after([press(), *before])
    with contextlib.suppress(Refused):
        case, _ = carry_out(duress(1000), case=case)
    if case.duress is not None:
        assert (case.as_pressed.status, waits_for(case.as_pressed)) == ("cancelled", None)
        later = after([press(), *before, duress(1000), *then])
        assert later.as_pressed == case.as_pressed
        assert later.silent


@settings(max_examples=300, deadline=None)
@given(st.lists(anything, max_size=25))
def test_who_is_left_out_counts_for_nothing(asked: list[Command]) -> None:
    case = after(asked)
    assert not case.left_out & (case.called() | case.replies.keys() | case.stood_down)
    assert not case.left_out & {call.responder for call in case.owed()}


@settings(max_examples=300, deadline=None)
@given(st.lists(anything, max_size=15), plans)
def test_a_due_step_is_taken_and_the_next_is_later(asked: list[Command], plan: Plan) -> None:
    """Nothing runs in a circle: steps that are due at once are as many as the policy has, and no more."""
    case = after(asked)
    now, taken = at(3000), 0
    while (wait := waits_for(case)) is not None and wait.until is not None and wait.until <= now:
        command = TakeStep(
            id=CommitId(f"due-{taken}"), at=now, position=case.position + 1, plan=plan, because=wait.because
        )
        case, events = carry_out(command, case=case)
        assert events
        taken += 1
        assert taken <= len(POLICY.steps) + 2


def test_when_those_who_came_give_up_the_others_are_not_waited_for_as_long_as_at_the_end() -> None:
    """Everybody else was told to stay at home: the patience of a last step that was repeated often is not for that."""
    often = [step(position, 2000 * position) for position in range(1, 7)]
    came = [answer(ANNA, "going", 12050), answer(LI, "going", 12050)]
    case = carry_out(press(), *often, *came)[0]
    assert case.stood_down
    case = carry_out(answer(ANNA, "cannot", 12060), answer(LI, "cannot", 12061), case=case)[0]
    wait = waits_for(case)
    assert wait is not None
    assert wait.until == at(12061 + 30)


def test_what_the_household_sees_after_its_own_cancel_is_frozen_with_and_without_duress() -> None:
    outcome = CallOutcome(step=0, responder=BO, channel="webhook", outcome="delivered", at=at(5))
    late = RecordCalls(id=CommitId("late"), at=at(6), outcomes=(outcome,))
    own = Cancel(id=CommitId("cancel"), at=at(3), by=f"device:{HOUSEHOLD}")
    by_desk = Cancel(id=CommitId("cancel"), at=at(3), by="operator:wang")
    seen = [carry_out(press(), end, late)[0].as_pressed for end in (own, duress(3))]
    assert [(one.seq, one.status, one.firsts.delivered) for one in seen] == [(2, "cancelled", None)] * 2
    assert carry_out(press(), by_desk, late)[0].as_pressed.firsts.delivered is not None
