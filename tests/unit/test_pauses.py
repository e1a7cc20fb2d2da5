"""A pause holds the escalation back until it runs out or is taken back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dispatch.cases import (
    Pause,
    Resolve,
    Resume,
    decide,
    waits_for,
)
from dispatch.errors import Conflict
from dispatch.events import (
    Escalated,
    EscalationPaused,
)
from dispatch.identifiers import CommitId
from tests.unit.escalation_story import (
    ANNA,
    answer,
    at,
    carry_out,
    duress,
    press,
    step,
    until,
    widen,
)

PAUSE = Pause(id=CommitId("pause"), at=at(10), by="operator:wang", until=at(600))


def resume(seconds: float) -> Resume:
    return Resume(id=CommitId(f"resume-{seconds}"), at=at(seconds), by="operator:li")


def test_an_operator_holds_it_back_also_while_somebody_is_on_scene() -> None:
    paused = Pause(id=CommitId("pause"), at=at(32), by="operator:wang", until=at(600))
    assert until(carry_out(press(), answer(ANNA, "on_scene", 30), paused)[0]) == 600


def test_a_pause_holds_the_escalation_and_runs_out() -> None:
    paused = Pause(id=CommitId("pause"), at=at(10), by="operator:wang", until=at(600))
    case, _ = carry_out(press(), paused)
    assert until(case) == 600
    assert carry_out(step(1, 45), case=case)[1] == []
    case, _ = carry_out(step(1, 600), case=case)
    assert (case.position, until(case)) == (1, 660)
    with pytest.raises(Conflict):
        carry_out(Pause(id=CommitId("p2"), at=at(10), by="op", until=at(9)), case=case)


def test_a_pause_is_taken_back_and_the_policy_is_kept_to_as_if_it_had_not_been() -> None:
    case, events = carry_out(press(), PAUSE, resume(20))
    assert events == [EscalationPaused(at=at(20), by="operator:li", until=at(20))]
    wait = waits_for(case)
    assert wait is not None
    assert (wait.what, wait.because, until(case)) == ("answers", "no_answer", 45)
    assert (case.paused, carry_out(step(1, 44), case=case)[1]) == (None, [])


def test_a_step_that_fell_due_in_a_pause_is_due_when_it_is_taken_back_and_once() -> None:
    case, _ = carry_out(press(), PAUSE, resume(300))
    assert until(case) == 300, "it was not late before"
    taken, events = carry_out(step(1, 300), case=case)
    assert [event.because for event in events if isinstance(event, Escalated)] == ["no_answer"]
    assert carry_out(step(1, 600), case=taken)[1] == [], "the timer of the pause comes all the same"
    assert (until(taken), taken.resumed_at) == (360, None)


def test_what_cannot_be_taken_back_any_more_changes_nothing() -> None:
    for case in (
        carry_out(press())[0],
        carry_out(press(), PAUSE, resume(20))[0],
        carry_out(press(), PAUSE, step(1, 600))[0],
    ):
        assert decide(case, resume(610)) == []
    late, _ = carry_out(press(), PAUSE)
    assert decide(late, resume(600)) == [], "it is over by itself, and its step is due"
    assert until(late) == 600
    with pytest.raises(Conflict):
        carry_out(press(), PAUSE, Resolve(id=CommitId("end"), at=at(15), by="op", resolution="helped"), resume(20))


def test_what_no_pause_holds_back_does_not_wait_for_a_resume_either() -> None:
    """Not where it came after it: the clock of whoever resumed may be ahead."""
    for asked, due in ((widen(100), 100), (duress(110), 110)):
        for more in ((asked, resume(300)), (resume(300), asked)):
            assert until(carry_out(press(), PAUSE, *more)[0]) == due, asked


def test_it_can_be_paused_anew_after_it_was_resumed() -> None:
    case, _ = carry_out(press(), PAUSE, resume(20), replace(PAUSE, id=CommitId("more"), at=at(30)))
    assert (until(case), case.resumed_at) == (600, None)
