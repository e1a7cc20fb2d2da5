"""Holding a case that came back from a backup: given what it was, nothing rings for it before its time."""

from __future__ import annotations

from msgspec.structs import replace

from dispatch.cases import NOT_RUNG, Hold, decide, due_at, follows, waits_for
from dispatch.events import CallsRecorded, EscalationPaused, FellBack
from dispatch.identifiers import CommitId
from tests.unit.case_histories import ALL
from tests.unit.escalation_story import ANNA, BO, LI, answer, at, carry_out, press, recorded

HOLD = Hold(id=CommitId("restore"), at=at(9000), by="restore", until=at(10800))


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
