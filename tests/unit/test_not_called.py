"""An operator calls by name who must not be called: given what happened since they looked, when they are called."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dispatch.cases import Call, CallOne, Case, Command, is_spared
from dispatch.cases.not_called import NotToBeCalled, OverAtHome
from dispatch.events import PlannedCall, Reason, ResponderLeftOut, RespondersCalled
from dispatch.identifiers import CommitId, PersonId
from dispatch.web.views import Viewer, version_for
from tests.unit.escalation_story import (
    ANNA,
    BO,
    FIRST,
    WANG,
    at,
    call,
    carry_out,
    duress,
    leave_out,
    press,
    silent_press,
    step,
)

AT_HOME = replace(FIRST, calls=(call(BO),), residents=(ANNA,))
OTHERS = (Viewer("responder", BO), Viewer("device", "h-1"))


def by_name(
    who: PersonId, seconds: float = 20, *, insists: bool = False, left_out: tuple[PersonId, ...] = ()
) -> CallOne:
    asked = PlannedCall(responder=who, reasons=(Reason("asked", "operator:op"),), channels=("webhook",))
    id_ = CommitId(f"one-{seconds}")
    out = frozenset(left_out)
    return CallOne(id=id_, at=at(seconds), by="operator:op", call=asked, left_out=out, even_left_out=insists)


@pytest.mark.parametrize(
    ("who", "before", "left_out"),
    [
        (ANNA, [press(plan=AT_HOME), silent_press(10)], ()),
        (ANNA, [press(), leave_out(ANNA)], ()),
        (WANG, [press(), leave_out(WANG)], ()),
        (WANG, [press()], (WANG,)),
    ],
    ids=["a silent press", "left out", "left out before any call", "left out in the roster alone"],
)
def test_who_must_not_be_called_is_called_only_when_the_operator_insists(
    who: PersonId, before: list[Command], left_out: tuple[PersonId, ...]
) -> None:
    case, _ = carry_out(*before)
    with pytest.raises(NotToBeCalled) as refused:
        carry_out(by_name(who, left_out=left_out), case=case)
    assert ("不得呼叫" in refused.value.detail) is (case.residents == frozenset())
    assert ("同住" in refused.value.detail) is (case.residents == {ANNA})
    after, (called,) = carry_out(by_name(who, insists=True, left_out=left_out), case=case)
    assert isinstance(called, RespondersCalled)
    assert who in after.called()


@pytest.mark.parametrize("insists", [False, True])
def test_under_duress_who_lives_there_is_not_called_by_name_whatever_the_operator_says(insists: bool) -> None:
    """To them the case was cancelled: a ring would show that it goes on, and no answer to it is taken."""
    case, _ = carry_out(press(plan=AT_HOME), duress(10))
    with pytest.raises(OverAtHome):
        carry_out(by_name(ANNA, insists=insists), case=case)
    after, _ = carry_out(by_name(WANG, insists=insists), case=case)
    assert WANG in after.called(), "everybody else can be"


def test_who_is_called_by_name_before_it_falls_silent_is_not_rung_then_unless_the_operator_insisted() -> None:
    loud, _ = carry_out(press(plan=AT_HOME), by_name(ANNA, 5))
    silent, _ = carry_out(silent_press(10), case=loud)
    insisted, _ = carry_out(by_name(ANNA, 20, insists=True), case=silent)
    assert [is_spared(case, newest(case, ANNA)) for case in (loud, silent, insisted)] == [False, True, False]


def test_who_is_left_out_before_any_call_is_called_by_no_step_and_nobody_else_sees_it() -> None:
    opened, _ = carry_out(press())
    case, events = carry_out(leave_out(WANG), case=opened)
    assert [(type(event), event.responder) for event in events if isinstance(event, ResponderLeftOut)] == [
        (ResponderLeftOut, WANG)
    ]
    assert [version_for(who, case) for who in OTHERS] == [version_for(who, opened) for who in OTHERS]
    stepped, _ = carry_out(step(1, 45), case=case)
    assert {who for number, who in stepped.calls if number == 1} == {ANNA}
    assert carry_out(leave_out(WANG, seconds=50), case=case)[1] == [], "said again"


def newest(case: Case, who: PersonId) -> Call:
    return case.calls[max(step for step, person in case.calls if person == who), who]
