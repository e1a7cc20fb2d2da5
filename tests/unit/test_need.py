"""Whom word that one need not come may reach, where the household has another case."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from dispatch.cases import Call, Cancel, Case, RaiseAlarm
from dispatch.fanout.need import Need
from dispatch.fanout.notices import newest_calls
from dispatch.fanout.ring import Word
from dispatch.identifiers import CommitId, PersonId
from tests.unit.escalation_story import ANNA, BO, LI, at, carry_out, duress, press


def cancelled(raised: RaiseAlarm) -> Case:
    return carry_out(raised, Cancel(id=CommitId("cancel"), at=at(5), by="operator:wang"))[0]


def drill() -> RaiseAlarm:
    raised = press()
    return replace(raised, press=replace(raised.press, drill=True))


def at_home(raised: RaiseAlarm, *people: PersonId) -> RaiseAlarm:
    assert raised.plan is not None
    return replace(raised, plan=replace(raised.plan, residents=people))


def free(need: Need, word: Word = "over") -> set[PersonId]:
    return {call.responder for call in newest_calls(need.case) if need.is_true(word, call)}


def test_a_drill_keeps_nobody_from_hearing_that_what_was_in_earnest_is_over() -> None:
    assert free(Need(cancelled(press()), carry_out(drill())[0])) == {ANNA, BO, LI}
    assert free(Need(cancelled(drill()), carry_out(press())[0])) == set()


def test_while_one_goes_on_under_duress_only_those_at_home_hear_that_the_one_beside_it_is_over() -> None:
    under_duress = carry_out(at_home(press(), ANNA), duress(4))[0]
    assert free(Need(cancelled(at_home(press(), ANNA)), under_duress)) == {ANNA}


def test_who_lives_there_hears_of_a_case_under_duress_what_they_would_of_one_that_was_cancelled() -> None:
    under_duress = carry_out(at_home(press(), ANNA), duress(4))[0]
    newer = carry_out(at_home(press(), ANNA))[0]
    truly = cancelled(at_home(press(), ANNA))
    for others in ((), (newer,)):
        assert (ANNA in free(Need(under_duress, *others))) == (ANNA in free(Need(truly, *others)))
    assert free(Need(under_duress)) == {ANNA}


def test_over_a_newer_ring_the_word_of_an_older_does_not_go() -> None:
    case = cancelled(press())
    first: Call = next(call for call in newest_calls(case) if call.responder == BO)
    newer = replace(first, step=1, called_at=first.called_at + timedelta(seconds=1))
    again = replace(case, calls={**case.calls, (1, BO): newer})
    assert not Need(again).is_true("over", first)
    assert Need(again).is_true("over", newer)
