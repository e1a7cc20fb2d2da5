"""What holds for a case whatever is asked of it."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.cases import (
    CallOne,
    Cancel,
    Case,
    Command,
    GiveAnswer,
    LeaveOut,
    Pause,
    Plan,
    RaiseAlarm,
    RecordCalls,
    SignalDuress,
    StandDown,
    TakeStep,
    Widen,
    waits_for,
)
from dispatch.errors import Refused
from dispatch.events import (
    CallOutcome,
)
from dispatch.identifiers import CommitId
from tests.unit.escalation_story import (
    ANNA,
    BO,
    FIRST,
    HOUSEHOLD,
    LI,
    NEXT,
    POLICY,
    WANG,
    at,
    call,
    carry_out,
    duress,
    press,
)

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
