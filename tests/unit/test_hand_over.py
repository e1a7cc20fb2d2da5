"""Handing over to 110: by a step of the policy or by an operator, once, unless nobody there could be told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dispatch.cases import (
    Case,
    HandOver,
    LeaveOut,
    Plan,
    RecordCalls,
    StandDown,
    TakeStep,
    decide,
    is_to_hand_over,
    still_wanted,
)
from dispatch.errors import Conflict
from dispatch.events import (
    CallOutcome,
    Escalated,
    Event,
    HandedOver,
    Outcome,
    PlannedCall,
    PolicyStep,
    Quorum,
    Reason,
    RespondersCalled,
    RespondersStoodDown,
)
from dispatch.fanout.plan import step_plan, targets_of
from dispatch.fanout.ring import Scene, make_ring
from dispatch.identifiers import CommitId, PersonId
from dispatch.roster import ApprisePoint, Called, Person, SmsPoint
from tests.unit.escalation_story import ANNA, BO, FIRST, LI, POLICY, answer, at, carry_out, duress, press, silent_press

CENTRE = PersonId("c-110")
CALL = PlannedCall(responder=CENTRE, reasons=(Reason("emergency_centre", "c"),), channels=("live", "sms"))
STEPS = (POLICY.steps[0], PolicyStep(call=("again", "hand_over"), within_seconds=30))
PLAN = replace(FIRST, policy=replace(POLICY, steps=STEPS))
TO_110 = Plan(group=None, areas=(), calls=(CALL,))
ASKED = HandOver(id=CommitId("over"), at=at(5), by="operator:wang", calls=(CALL,))


def came_of(case: Case, outcome: Outcome) -> Case:
    known = tuple(
        CallOutcome(step=case.last_step, responder=CENTRE, channel=channel, outcome=outcome, at=at(60))
        for channel in CALL.channels
    )
    return carry_out(RecordCalls(id=CommitId(f"r-{case.seq}"), at=at(60), outcomes=known), case=case)[0]


def due(position: int, seconds: float) -> TakeStep:
    id_ = CommitId(f"step-{position}")
    return TakeStep(id=id_, at=at(seconds), position=position, plan=TO_110, because="no_answer")


def hand_overs(events: list[Event]) -> list[tuple[str, tuple[PersonId, ...]]]:
    return [(event.by, event.to) for event in events if isinstance(event, HandedOver)]


def test_an_operator_hands_over_and_the_case_stays_open() -> None:
    case, events = carry_out(press(plan=PLAN), ASKED)
    assert [type(event) for event in events] == [HandedOver, RespondersCalled]
    assert hand_overs(events) == [("operator:wang", (CENTRE,))]
    assert case.is_open
    assert not is_to_hand_over(case)


def test_a_second_time_only_knowingly() -> None:
    case, _ = carry_out(press(plan=PLAN), ASKED)
    with pytest.raises(Conflict, match="again=true"):
        decide(case, replace(ASKED, id=CommitId("second")))
    assert decide(case, ASKED) == [], "the same request, sent twice"
    assert hand_overs(decide(case, replace(ASKED, id=CommitId("third"), again=True)))


def test_a_step_of_the_policy_hands_over_once() -> None:
    case, events = carry_out(press(plan=PLAN), due(1, 45))
    assert [type(event) for event in events] == [Escalated, HandedOver, RespondersCalled]
    assert hand_overs(events) == [("system", (CENTRE,))]
    case = came_of(case, "sent")
    case, events = carry_out(due(2, 900), case=case)
    assert [type(event) for event in events] == [Escalated], "the last step is repeated; 110 knows"


def test_where_nobody_there_could_be_told_the_step_hands_over_again() -> None:
    case = came_of(carry_out(press(plan=PLAN), due(1, 45))[0], "failed")
    assert is_to_hand_over(case)
    assert hand_overs(carry_out(due(2, 900), case=case)[1]) == [("system", (CENTRE,))]


def test_without_a_post_of_110_it_is_handed_over_to_nobody_and_tried_again() -> None:
    case, events = carry_out(press(plan=PLAN), replace(ASKED, calls=()))
    assert hand_overs(events) == [("operator:wang", ())]
    assert is_to_hand_over(case)


def test_110_is_not_told_by_itself_that_it_need_not_come() -> None:
    plan = replace(PLAN, policy=replace(PLAN.policy or POLICY, quorum=Quorum(anyone=1)))
    case, events = carry_out(press(plan=plan), ASKED, answer(ANNA, "going", 9))
    assert [event.responders for event in events if isinstance(event, RespondersStoodDown)] == [(BO, LI)]
    assert still_wanted(case, CENTRE), "and so what is owed there is rung"
    rest = StandDown(id=CommitId("rest"), at=at(10), by="op", responders=(CENTRE,), rest=True)
    assert decide(case, rest) == [], "nor as one of the rest"
    word = StandDown(id=CommitId("sd"), at=at(10), by="op", responders=(CENTRE,))
    (stood_down,) = decide(case, word)
    assert isinstance(stood_down, RespondersStoodDown)
    assert stood_down.responders == (CENTRE,), "by name an operator may"


def test_it_is_called_over_all_it_has_and_not_again_with_the_others() -> None:
    points = (ApprisePoint(url="ntfys://n/t"), SmsPoint(number="+8613800000110"))
    centre = Called(Person(id=CENTRE, name="110", contact_points=points), CALL.reasons)
    case, _ = carry_out(press(plan=PLAN))
    (planned,) = step_plan(case, ["hand_over"], [centre], (), {}).calls
    assert (planned.channels, planned.then) == (("live", "apprise", "sms"), ())
    case, _ = carry_out(ASKED, case=case)
    assert {call.responder for call in step_plan(case, ["again"], (), (), {}).calls} == {ANNA, BO, LI}


def test_who_is_left_out_is_not_let_in_by_a_hand_over() -> None:
    out = LeaveOut(id=CommitId("out"), at=at(2), people=(ANNA,), by="operator:wang")
    to_anna = replace(CALL, responder=ANNA)
    case, events = carry_out(press(plan=PLAN), out, replace(ASKED, calls=(CALL, to_anna)))
    assert hand_overs(events) == [("operator:wang", (CENTRE,))]
    assert ANNA in case.left_out
    assert ANNA not in case.called()


def duress_heeded(case: Case, seconds: float) -> tuple[Case, list[Event]]:
    """The case after the step that a duress makes due, as it is planned: 110 is found in the roster, and a policy."""
    policy = PLAN.policy if case.alarm.drill else None
    targets = targets_of(case, 1, "duress", instead_of_drill=policy)
    aid = [Called(Person(id=CENTRE, name="110"), CALL.reasons)] if "hand_over" in targets else []
    plan = replace(step_plan(case, targets, aid, (), {}), policy=policy)
    return carry_out(replace(due(1, seconds), plan=plan, because="duress"), case=case)


def called_at(case: Case, step: int) -> set[PersonId]:
    return {person for number, person in case.calls if number == step}


def test_110_is_told_that_a_case_that_it_has_is_under_duress_and_once() -> None:
    case, _ = carry_out(press(plan=PLAN), ASKED)
    case, events = duress_heeded(carry_out(duress(10), case=came_of(case, "sent"))[0], 10)
    assert called_at(case, 2) == {ANNA, BO, LI, CENTRE}
    assert hand_overs(events) == [], "it has the case"
    assert step_plan(case, targets_of(case, 2, "no_answer"), (), (), {}).calls, "the others are called again"
    assert CENTRE not in {call.responder for call in step_plan(case, ["again"], (), (), {}).calls}


@pytest.mark.parametrize("steps", [STEPS, STEPS[:1]], ids=["by the policy", "by an operator alone"])
def test_110_is_told_that_a_drill_has_become_real(steps: tuple[PolicyStep, ...]) -> None:
    drill = replace(press().press, drill=True)
    opened = replace(press(plan=replace(PLAN, policy=replace(POLICY, steps=steps))), press=drill)
    case, _ = carry_out(opened, ASKED)
    case, _ = carry_out(duress(10), case=came_of(case, "sent"))
    assert is_to_hand_over(case), "a drill was handed over, and no emergency"
    case, events = duress_heeded(case, 10)
    assert CENTRE in called_at(case, 2)
    assert hand_overs(events) == [("system", (CENTRE,))]
    ring = make_ring(case, case.calls[2, CENTRE], SCENE, "link")
    assert "这不是演练" in ring.body


def test_who_has_another_post_too_is_told_as_110() -> None:
    """The newest hand-over says what they stand for; they were called as an officer before."""
    as_officer = replace(CALL, reasons=(Reason("command_centre", "c"),))
    case, _ = carry_out(press(plan=replace(PLAN, calls=(*PLAN.calls, as_officer))), ASKED)
    case, _ = duress_heeded(carry_out(duress(10), case=came_of(case, "sent"))[0], 10)
    assert case.calls[2, CENTRE].reasons == CALL.reasons


SCENE = Scene(area="village", name="Wang", address="1 Street", phone="13800138000")


def test_110_is_given_no_telephone_number_where_nobody_may_ring_back() -> None:
    loud, _ = carry_out(press(plan=PLAN), ASKED)
    silent, _ = carry_out(silent_press(0, plan=PLAN), ASKED)
    forced, _ = carry_out(duress(10), case=loud)
    told = [make_ring(case, case.calls[1, CENTRE], SCENE, "link").body for case in (loud, silent, forced)]
    assert [SCENE.phone in body for body in told] == [True, False, False]


def test_who_stands_at_110_and_is_left_out_is_not_stood_down_by_name() -> None:
    case, _ = carry_out(press(plan=PLAN), ASKED)
    case, _ = carry_out(LeaveOut(id=CommitId("out"), at=at(10), people=(CENTRE,), by="operator:wang"), case=case)
    assert decide(case, StandDown(id=CommitId("down"), at=at(11), by="operator:wang", responders=(CENTRE,))) == []
