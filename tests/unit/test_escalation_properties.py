"""Whatever is asked of a case, in whatever order: an open one waits for something, and nobody on it is forgotten."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.cases import (
    Command,
    Pause,
    Plan,
    Resume,
    TakeStep,
    due_at,
    enough,
    follows,
    is_to_hand_over,
    waits_for,
)
from dispatch.cases.escalation import LATENESS, LONGEST_PATIENCE
from dispatch.errors import Refused
from dispatch.events import (
    Escalated,
    RespondersCalled,
    RespondersStoodDown,
)
from dispatch.identifiers import CommitId, PersonId
from tests.unit.case_histories import (
    BEGINNINGS,
    SLOWEST,
    TO_110,
    Asked,
    Due,
    Told,
    after,
    anything,
    by_hand,
    command_of,
    histories,
    log_of,
    people,
    plans,
    told,
)
from tests.unit.escalation_story import (
    BO,
    POLICY,
    WANG,
    answer,
    at,
    carry_out,
    duress,
    press,
)


@settings(max_examples=200, deadline=None)
@given(histories)
def test_an_open_case_waits_for_what_will_come(history: list[Asked]) -> None:
    """For a time, or for the closing: that only with somebody there, and enough or the whole policy behind it."""
    case, log = log_of(history)
    wait = waits_for(case)
    assert (wait is not None) == case.is_open
    if wait is None:
        return
    if wait.until is None:
        assert case.status == "on_scene"
        assert enough(case) or case.position + 1 >= len(POLICY.steps)
    else:
        ends = [event.at for commit in log for event in commit.events] + [case.paused_until or at(0)]
        assert wait.until <= max(ends) + max(LONGEST_PATIENCE, SLOWEST + LATENESS)


@settings(max_examples=200, deadline=None)
@given(histories)
def test_nobody_who_is_to_be_rung_is_dropped(history: list[Asked]) -> None:
    """Whoever the log says was called, and not heard of nor let go since, has each channel rung or a time for it."""
    case, log = log_of(history)
    following = {one.responder: one for one in follows(case)}
    owed = {(call.step, call.responder): call.owed() for call in case.owed()}
    for person, known in told(log).items():
        wanted = case.is_open and not known.silent_because
        if not wanted or not known.follow or known.reached:
            assert person not in following
            continue
        assert following[person].channel == known.follow[0]
        due = due_at(case)
        assert due is not None
        assert due <= following[person].at
    for known in told(log).values():
        if known.call is not None:
            recorded = case.calls[known.call].outcomes
            assert {channel for channel in known.rings if channel not in recorded} <= set(owed.get(known.call, ()))


@settings(max_examples=200, deadline=None)
@given(histories, plans)
def test_a_step_calls_everybody_it_is_to_call(history: list[Asked], plan: Plan) -> None:
    """But for those who answered, were let go by name, are left out; and 110 where it has the case but for duress."""
    case, log = log_of(history)
    wait = waits_for(case)
    command = command_of(case, Due(CommitId("due"), plan))
    if wait is None or command is None:
        return
    events = carry_out(command, case=case)[1]
    called = {one.responder for event in events if isinstance(event, RespondersCalled) for one in event.calls}
    for planned in plan.calls:
        known = told(log).get(planned.responder, Told())
        let_go = known.silent_because in {"by name", "left out"}
        answered = known.answered and not (wait.because == "duress" and known.answered == "going")
        has_it = planned == TO_110 and not is_to_hand_over(case) and wait.because != "duress"
        assert (planned.responder in called) == (not let_go and not answered and not has_it), planned.responder


@settings(max_examples=200, deadline=None)
@given(histories, by_hand)
def test_what_is_asked_by_hand_puts_off_no_step(history: list[Asked], asked: Command) -> None:
    case = after(history)
    wait = waits_for(case)
    if wait is None:
        return
    later, _ = log_of([*history, asked])
    assert later.stepped_at == case.stepped_at
    now = waits_for(later)
    if now is None or now.until is None or wait.until is None or now.what != wait.what or wait.because == "pointless":
        return  # it was over, or became enough, or could become enough again with whoever was called
    assert now.until <= wait.until


@settings(max_examples=200, deadline=None)
@given(histories)
def test_a_pause_that_is_taken_back_leaves_what_the_policy_says(history: list[Asked]) -> None:
    """What fell due in it is due when it is taken back, and nothing before; but for what no pause holds back."""
    case = after(history)
    policy = waits_for(replace(case, paused=None, resumed_at=None, held_until=None))
    if policy is None:
        return
    pause = Pause(id=CommitId("pause"), at=at(3000), by="op", until=at(4000))
    wait = waits_for(carry_out(pause, Resume(id=CommitId("resume"), at=at(3100), by="op"), case=case)[0])
    assert wait is not None
    assert (wait.what, wait.because) == (policy.what, policy.because)
    paused = policy.because not in {"operator", "duress"}
    assert wait.until == (max(policy.until, at(3100)) if policy.until is not None and paused else policy.until)


def test_the_histories_begin_where_these_properties_matter() -> None:
    cases = {name: after(history) for name, history in BEGINNINGS.items()}
    waits = {name: (wait.what, wait.because) for name, case in cases.items() if (wait := waits_for(case)) is not None}
    assert waits == {
        "called": ("answers", "no_answer"),
        "on scene, too few": ("answers", "no_answer"),
        "on scene, all steps": ("closing", "late"),
        "on scene, paused": ("operator", "pause_over"),
        "resumed": ("answers", "no_answer"),
        "enough": ("arrival", "late"),
        "late": ("arrival", "late"),
        "given up": ("answers", "no_answer"),
        "let go by name": ("answers", "no_answer"),
        "handed over": ("answers", "no_answer"),
        "duress": ("answers", "no_answer"),
    }
    assert not enough(cases["on scene, all steps"])
    assert {one.responder for one in follows(cases["late"])} == {WANG}
    assert cases["given up"].given_up_at == at(60)
    assert cases["let go by name"].dismissed == {BO}
    assert cases["duress"].duress_heeded


@settings(max_examples=200, deadline=None)
@given(st.lists(anything, max_size=15), st.lists(anything, max_size=15))
def test_under_duress_those_who_pressed_see_a_cancelled_case_for_good(before: list[Asked], then: list[Asked]) -> None:
    case = after([press(), *before])
    with contextlib.suppress(Refused):
        case, _ = carry_out(duress(1000), case=case)
    if case.duress is not None:
        assert (case.as_pressed.status, waits_for(case.as_pressed)) == ("cancelled", None)
        later = after([press(), *before, duress(1000), *then])
        assert later.as_pressed == case.as_pressed
        assert later.silent


@settings(max_examples=200, deadline=None)
@given(histories, people, st.sampled_from(["going", "on_scene"]))
def test_an_answer_stands_down_nobody_unless_it_makes_it_enough_or_is_the_first_arrival(
    history: list[Asked], who: PersonId, what: str
) -> None:
    case, log = log_of(history)
    if not case.is_open or who not in case.called():
        return
    later, events = carry_out(answer(who, what, 3000), case=case)
    told_off = {person for event in events if isinstance(event, RespondersStoodDown) for person in event.responders}
    if not told_off:
        return
    assert enough(later)
    if enough(case):
        before = [event for commit in log for event in commit.events]
        late = {event.at for event in before if isinstance(event, Escalated) and event.because == "late"}
        assert (case.status == "on_scene", later.status == "on_scene", case.is_under_duress) == (False, True, False)
        newest = {
            one.responder: event.at for event in before if isinstance(event, RespondersCalled) for one in event.calls
        }
        assert all(newest[person] in late for person in told_off)


@settings(max_examples=200, deadline=None)
@given(histories)
def test_who_is_left_out_counts_for_nothing(history: list[Asked]) -> None:
    case = after(history)
    assert not case.left_out & (case.called() | case.replies.keys() | case.stood_down)
    assert not case.left_out & {call.responder for call in case.owed()}


@settings(max_examples=200, deadline=None)
@given(histories, plans)
def test_a_due_step_is_taken_and_the_next_is_later(history: list[Asked], plan: Plan) -> None:
    """Nothing runs in a circle: steps that are due at once are as many as the policy has, and no more."""
    case = after(history)
    now, taken = at(3000), 0
    while (wait := waits_for(case)) is not None and wait.until is not None and wait.until <= now:
        command = TakeStep(
            id=CommitId(f"due-{taken}"), at=now, position=case.position + 1, plan=plan, because=wait.because
        )
        case, events = carry_out(command, case=case)
        assert events
        taken += 1
        assert taken <= len(POLICY.steps) + 2
