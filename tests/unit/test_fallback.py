"""Falling back: given a case, whose next channel rings, when, and why not."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.cases import (
    CallOne,
    Cancel,
    Case,
    Command,
    FallBack,
    GiveAnswer,
    LeaveOut,
    Pause,
    Plan,
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
    follows,
    still_wanted,
    waits_for,
)
from dispatch.errors import Refused
from dispatch.events import (
    CallOutcome,
    Channel,
    FellBack,
    Outcome,
    PlannedCall,
    Press,
    Quorum,
    Reason,
    ResponderReplied,
)
from dispatch.identifiers import AreaId, CommitId, GroupId, PersonId, PressId
from tests.unit.escalation_story import (
    ANNA,
    BO,
    HOUSEHOLD,
    LI,
    POLICY,
    T0,
    WANG,
    answer,
    at,
    carry_out,
    press,
    step,
)

PATIENCE = 15


def call(who: PersonId, *then: Channel) -> PlannedCall:
    return PlannedCall(responder=who, reasons=(Reason("member", "g"),), channels=("live", "webpush"), then=then)


ORDERED = Plan(
    group=GroupId("g"),
    areas=(AreaId("v"),),
    calls=(call(ANNA, "sms", "apprise"), call(BO, "sms"), call(LI)),
    policy=replace(POLICY, quorum=Quorum(anyone=2)),
)


def came_of(
    seconds: float, who: PersonId, channel: Channel, outcome: Outcome, *, known: float | None = None, step: int = 0
) -> RecordCalls:
    one = CallOutcome(
        step=step, responder=who, channel=channel, outcome=outcome, at=at(seconds if known is None else known)
    )
    return RecordCalls(id=CommitId(f"{who}-{channel}-{outcome}-{seconds}"), at=at(seconds), outcomes=(one,))


def failed(seconds: float, who: PersonId, *channels: Channel) -> list[RecordCalls]:
    return [came_of(seconds, who, channel, "failed") for channel in channels]


def fall_back(seconds: float) -> FallBack:
    return FallBack(id=CommitId(f"fall-{seconds}"), at=at(seconds))


def next_of(case: Case) -> dict[PersonId, tuple[str, float, str]]:
    return {one.responder: (one.channel, (one.at - T0).total_seconds(), one.because) for one in follows(case)}


def opened(*then: Command) -> Case:
    return carry_out(press(plan=ORDERED), *then)[0]


def rung(case: Case, *then: Command) -> list[tuple[PersonId, Channel, str]]:
    """What the last of `then` makes ring."""
    return [
        (one.responder, one.channel, one.because)
        for event in carry_out(*then, case=case)[1]
        if isinstance(event, FellBack)
        for one in event.calls
    ]


def test_without_delivery_the_next_channel_follows_after_the_time_of_the_policy() -> None:
    case = opened(came_of(1, ANNA, "live", "failed"), came_of(1, ANNA, "webpush", "sent"))
    assert next_of(case)[ANNA] == ("sms", PATIENCE, "not_delivered")
    assert rung(case, fall_back(PATIENCE - 0.1)) == [], "a timer that came early"
    assert rung(case, fall_back(PATIENCE)) == [(ANNA, "sms", "not_delivered"), (BO, "sms", "not_delivered")]


def test_the_time_is_that_of_the_policy() -> None:
    plan = replace(ORDERED, policy=replace(POLICY, fallback_seconds=40))
    case, _ = carry_out(press(plan=plan))
    assert next_of(case)[BO] == ("sms", 40, "not_delivered")


def test_when_all_that_rang_have_failed_the_next_follows_at_once() -> None:
    case = opened(*failed(2, ANNA, "live"))
    assert next_of(case)[ANNA][1] == PATIENCE, "one may still ring"
    case, _ = carry_out(*failed(3, ANNA, "webpush"), case=case)
    assert next_of(case)[ANNA] == ("sms", 3, "failed")
    assert rung(case, fall_back(3)) == [(ANNA, "sms", "failed")]


def test_channels_follow_one_by_one_in_their_order_to_the_last() -> None:
    case = opened(*failed(1, ANNA, "live", "webpush"), fall_back(1))
    assert case.calls[0, ANNA].owed() == ("sms",)
    assert next_of(case)[ANNA] == ("apprise", 1 + PATIENCE, "not_delivered"), "each has its time from when it rang"
    case, _ = carry_out(*failed(4, ANNA, "sms"), case=case)
    assert rung(case, fall_back(4)) == [(ANNA, "apprise", "failed")]
    case, _ = carry_out(fall_back(4), *failed(5, ANNA, "apprise"), case=case)
    assert ANNA not in next_of(case)
    assert not case.calls[0, ANNA].may_ring()


def test_a_timer_that_comes_twice_rings_nothing_twice() -> None:
    case = opened(*failed(1, ANNA, "live", "webpush"), fall_back(2))
    assert carry_out(replace(fall_back(2), id=CommitId("second")), case=case)[1] == []


@pytest.mark.parametrize("outcome", ["delivered", "seen"])
def test_who_was_reached_is_not_rung_further(outcome: Outcome) -> None:
    case = opened(came_of(1, ANNA, "webpush", outcome), *failed(1, ANNA, "live"))
    assert ANNA not in next_of(case)


def test_who_has_answered_is_not_rung_further() -> None:
    case = opened(answer(ANNA, "cannot", 3))
    assert list(next_of(case)) == [BO]
    assert not still_wanted(case, ANNA)


def test_who_was_stood_down_is_not_rung_further() -> None:
    case = opened(StandDown(id=CommitId("sd"), at=at(3), by="op", responders=(ANNA,)))
    assert list(next_of(case)) == [BO]


def test_when_it_is_enough_or_over_nobody_is() -> None:
    plan = replace(ORDERED, policy=replace(POLICY, quorum=Quorum(anyone=1)))
    assert follows(carry_out(press(plan=plan), answer(LI, "going", 3))[0]) == ()
    case = opened(Resolve(id=CommitId("over"), at=at(3), by="op", resolution="helped"))
    assert follows(case) == ()
    assert rung(case, fall_back(60)) == []


LATE = Plan(group=None, areas=(), calls=(call(WANG, "sms"),))


def test_who_is_called_because_helpers_are_late_is_rung_over_the_next_channel_too() -> None:
    case = opened(answer(ANNA, "going", 3), answer(BO, "going", 4), step(1, 783, LATE))
    assert enough(case)
    assert next_of(case) == {WANG: ("sms", 783 + PATIENCE, "not_delivered")}
    assert due_at(case) == at(783 + PATIENCE)
    assert rung(case, fall_back(783 + PATIENCE)) == [(WANG, "sms", "not_delivered")], "nobody has told them not to come"
    case, _ = carry_out(answer(ANNA, "on_scene", 790), case=case)
    assert rung(case, fall_back(783 + PATIENCE)) == [], "the first arrival has"
    assert rung(case, answer(WANG, "cannot", 791), fall_back(783 + PATIENCE)) == []


def test_who_is_called_under_duress_or_by_hand_when_it_is_enough_is_rung_over_the_next_channel_too() -> None:
    case = opened(answer(ANNA, "going", 3), answer(BO, "going", 4))
    duress = SignalDuress(id=CommitId("duress"), at=at(5), by="device:h-1")
    assert next_of(carry_out(duress, step(1, 5, LATE), case=case)[0]).keys() == {WANG}
    one = CallOne(id=CommitId("one"), at=at(5), by="op", call=call(WANG, "sms"))
    assert next_of(carry_out(one, case=case)[0]).keys() == {WANG}


def test_who_is_called_anew_is_wanted_until_they_answer_anew_though_they_say_the_same() -> None:
    coming = answer(ANNA, "going", 3)
    case = opened(coming)
    fire = Press(press=PressId("p2"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(20), kind="fire")
    again = RaiseAlarm(id=CommitId("p2"), at=at(20), accepted_at=at(20), press=fire, plan=ORDERED)
    case, _ = carry_out(again, case=case)
    assert still_wanted(case, ANNA)
    assert next_of(case)[ANNA] == ("sms", 20 + PATIENCE, "not_delivered")
    assert carry_out(coming, case=case)[1] == [], "the same request, sent again"
    case, events = carry_out(answer(ANNA, "going", 21), case=case)
    assert [type(event) for event in events] == [ResponderReplied]
    assert not still_wanted(case, ANNA)
    assert carry_out(answer(ANNA, "going", 22), case=case)[1] == []


def test_a_pause_holds_back_the_widening_and_not_those_who_are_called_already() -> None:
    case = opened(Pause(id=CommitId("pause"), at=at(2), by="op", until=at(600)))
    assert next_of(case)[BO] == ("sms", PATIENCE, "not_delivered")


def test_while_a_channel_is_left_somebody_may_still_be_reached() -> None:
    commands = [
        *failed(1, ANNA, "live", "webpush"),
        *failed(1, BO, "live", "webpush"),
        *failed(1, LI, "live", "webpush"),
    ]
    case = opened(*commands)
    assert case.calls[0, ANNA].may_ring()
    assert not case.calls[0, LI].may_ring()


def test_who_is_called_anew_falls_back_from_the_newest_call_alone() -> None:
    again = Plan(group=None, areas=(), calls=(replace(call(ANNA), channels=("live", "webpush", "sms", "apprise")),))
    case = opened(step(1, 45, again))
    assert list(next_of(case)) == [BO]


def test_the_case_is_due_when_the_first_of_step_and_next_channel_is() -> None:
    case = opened()
    assert due_at(case) == at(PATIENCE)
    assert due_at(carry_out(fall_back(PATIENCE), case=case)[0]) == at(2 * PATIENCE), "anna has one more"
    wait = waits_for(case)
    assert wait is not None
    assert wait.until == at(45), "the step itself waits as before"


moments = st.integers(0, 300).map(lambda s: at(float(s)))
ids = st.integers(0, 10**9).map(lambda n: CommitId(f"c{n}"))
people = st.sampled_from([ANNA, BO, LI])
channels = st.sampled_from(["live", "webpush", "sms", "apprise"])
AGAIN = Plan(group=None, areas=(), calls=(call(ANNA, "sms"), call(LI, "apprise", "sms")))
anything: st.SearchStrategy[Command] = st.one_of(
    st.builds(FallBack, id=ids, at=moments),
    st.builds(
        RecordCalls, id=ids, at=moments,
        outcomes=st.lists(
            st.builds(
                CallOutcome, step=st.integers(0, 2), responder=people, channel=channels,
                outcome=st.sampled_from(["unknown", "failed", "failed", "sent", "delivered"]), at=moments,
            ), max_size=4,
        ).map(tuple),
    ),
    st.builds(
        GiveAnswer, id=ids, at=moments, responder=people, answer=st.sampled_from(["going", "cannot", "on_scene"]),
        via=st.just("page"),
    ),
    st.builds(
        TakeStep, id=ids, at=moments, position=st.integers(1, 3), plan=st.just(AGAIN), because=st.just("no_answer"),
    ),
    st.builds(Widen, id=ids, at=moments, by=st.just("op")),
    st.builds(StandDown, id=ids, at=moments, by=st.just("op"), responders=st.lists(people, max_size=2).map(tuple)),
    st.builds(Cancel, id=ids, at=moments, by=st.just("op")),
)  # fmt: skip


def after(asked: list[Command]) -> Case:
    case = carry_out(press(plan=ORDERED))[0]
    for command in asked:
        with contextlib.suppress(Refused):
            case, _ = carry_out(command, case=case)
    return case


def newest(case: Case, person: PersonId) -> int:
    return max(step for step, who in case.calls if who == person)


@settings(max_examples=300, deadline=None)
@given(st.lists(anything, max_size=20))
def test_nobody_with_a_channel_left_who_was_not_reached_is_forgotten(asked: list[Command]) -> None:
    """Either somebody is reached, has answered or is not needed, or their next channel has a time at which it rings."""
    case = after(asked)
    assert due_at(case) is not None or not case.is_open or case.status == "on_scene"
    for person in case.called():
        call = case.calls[newest(case, person), person]
        best = call.best()
        reached = best is not None and best.outcome in {"delivered", "seen"}
        if call.then and still_wanted(case, person) and not reached:
            assert person in next_of(case)
        else:
            assert person not in next_of(case)


@settings(max_examples=300, deadline=None)
@given(st.lists(anything, max_size=15))
def test_whoever_is_left_alone_is_rung_over_all_their_channels_once(asked: list[Command]) -> None:
    case = after(asked)
    wanted = {person for person in case.called() if person in next_of(case)}
    for turn in range(10):
        rings = (
            decide(case, FallBack(id=CommitId(f"turn-{turn}"), at=at(1000 + turn * PATIENCE))) if case.is_open else []
        )
        if not rings:
            break
        case, _ = carry_out(FallBack(id=CommitId(f"turn-{turn}"), at=at(1000 + turn * PATIENCE)), case=case)
    assert follows(case) == ()
    for person in wanted:
        call = case.calls[newest(case, person), person]
        assert not call.then
        assert len(set(call.channels)) == len(call.channels)
    assert enough(case) or case.is_open or not wanted


def test_who_is_left_out_is_rung_no_further() -> None:
    case = opened(*failed(1, ANNA, "live", "webpush"), *failed(1, BO, "live", "webpush"))
    assert next_of(case).keys() == {ANNA, BO}
    out = LeaveOut(id=CommitId("out"), at=at(2), people=(ANNA,), by="operator:wang")
    assert rung(case, out, fall_back(3)) == [(BO, "sms", "failed")]
