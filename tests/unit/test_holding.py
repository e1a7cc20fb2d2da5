"""Holding a case that came back from a backup: given what it was, nothing rings for it before its time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dispatch.cases import NOT_RUNG, Hold, Pause, RaiseAlarm, Resume, decide, due_at, follows, waits_for
from dispatch.errors import Conflict
from dispatch.events import CallsRecorded, EscalationPaused, FellBack, PressedAgain, RespondersCalled
from dispatch.identifiers import CommitId, PressId
from tests.unit.case_histories import ALL
from tests.unit.escalation_story import ANNA, BO, LI, answer, at, carry_out, duress, press, recorded, step, widen

HOLD = Hold(id=CommitId("restore"), at=at(9000), until=at(10800))


def test_rings_that_were_owed_or_would_follow_are_over_and_say_so() -> None:
    case, _ = carry_out(press(plan=ALL), recorded(1, anna="sent", bo="delivered"))
    held, events = carry_out(HOLD, case=case)
    assert [type(event) for event in events] == [EscalationPaused, FellBack, CallsRecorded]
    assert (held.owed(), follows(held), due_at(held)) == ([], (), at(10800))
    reasons = {
        (who, channel): known.reason
        for (_, who), call in held.calls.items()
        for channel, known in call.outcomes.items()
    }
    following, rung = {"sms", "apprise"}, {"live", "webhook"}
    assert {channel for who, channel in reasons if who == ANNA} == rung | following
    assert {channel for who, channel in reasons if who == BO} == rung, "he was reached, so that nothing would follow"
    not_rung = {key for key, reason in reasons.items() if reason == NOT_RUNG}
    assert not_rung == {(ANNA, one) for one in following} | {(LI, one) for one in rung | following}


def test_where_nothing_was_owed_its_escalation_waits() -> None:
    case, _ = carry_out(press(), recorded(1, anna="sent", bo="sent", li="sent"))
    held, events = carry_out(HOLD, case=case)
    assert [type(event) for event in events] == [EscalationPaused]
    assert due_at(held) == at(10800)
    assert decide(held, replace(HOLD, id=CommitId("again"))) == []


def test_it_waits_also_where_enough_had_been_going() -> None:
    case, _ = carry_out(press(), answer(ANNA, "going", 5), answer(LI, "going", 6))
    held, _ = carry_out(HOLD, case=case)
    wait = waits_for(held)
    assert wait is not None
    assert (wait.what, wait.until, due_at(held)) == ("arrival", at(10800), at(10800))


def test_who_presses_again_meanwhile_has_everybody_rung_and_the_next_step_taken() -> None:
    lately = step(1, 8940)  # unheld, the same press would call nobody again
    case, _ = carry_out(press(), recorded(1, anna="sent", bo="sent", li="sent"), lately)
    held, _ = carry_out(HOLD, case=case)
    pressed, events = carry_out(pressed_again(9030), case=held)
    assert [type(event) for event in events] == [PressedAgain, RespondersCalled]
    due = due_at(pressed)
    assert due is not None
    assert due <= at(9030), "it does not wait for the half hour"
    once_more, events = carry_out(pressed_again(9040), case=pressed)
    assert [type(event) for event in events] == [PressedAgain]
    assert due_at(once_more) == due


def test_an_operators_pause_goes_on_where_somebody_presses_again() -> None:
    pause = Pause(id=CommitId("pause"), at=at(10), by="operator:wang", until=at(600))
    case, _ = carry_out(press(), recorded(1, anna="sent", bo="sent", li="sent"), pause, pressed_again(20))
    assert due_at(case) == at(600)


def test_a_wish_and_a_signal_from_before_wait_too_and_what_comes_now_does_not() -> None:
    opened, _ = carry_out(press(), recorded(1, anna="sent", bo="sent", li="sent"))
    for asked in (widen, duress):
        before, _ = carry_out(asked(30), HOLD, case=opened)
        assert due_at(before) == at(10800), asked.__name__
        now, _ = carry_out(HOLD, asked(9060), case=opened)
        assert due_at(now) == at(9060), asked.__name__


def test_it_is_neither_resumed_nor_paused_for_less_by_a_slip() -> None:
    held, _ = carry_out(press(), recorded(1, anna="sent", bo="sent", li="sent"), HOLD)
    resume = Resume(id=CommitId("resume"), at=at(9060), by="operator:wang")
    pause = Pause(id=CommitId("pause"), at=at(9060), by="operator:wang", until=at(9360))
    for slip in (resume, pause):
        with pytest.raises(Conflict, match="came back from a backup"):
            decide(held, slip)
    longer, _ = carry_out(replace(pause, until=at(12000)), case=held)
    assert due_at(longer) == at(12000)
    own, _ = carry_out(resume, case=longer)
    assert due_at(own) == at(9060), "an operator has taken it over"
    assert due_at(carry_out(widen(9060), case=held)[0]) == at(9060)


def test_what_is_restored_once_more_is_held_anew_and_at_its_end_there_is_nothing_to_resume() -> None:
    held, _ = carry_out(press(), recorded(1, anna="sent", bo="sent", li="sent"), HOLD)
    shorter = replace(HOLD, id=CommitId("again"), at=at(9060), until=at(10000))
    assert due_at(carry_out(shorter, case=held)[0]) == at(10000)
    for nothing in (
        Resume(id=CommitId("resume"), at=at(10800), by="operator:wang"),
        Pause(id=CommitId("pause"), at=at(9060), by="operator:wang", until=at(10800)),
    ):
        assert decide(held, nothing) == []


def pressed_again(seconds: float) -> RaiseAlarm:
    first = press(seconds)
    again = replace(first.press, press=PressId(f"p-{seconds}"))
    return replace(first, id=CommitId(f"press-{seconds}"), press=again)
