"""The fan-out is away: the watchdog rings who is to be called, and nobody else."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dispatch.cases import CallOne, CaseDesk, GiveAnswer, SignalDuress, StandDown, follows
from dispatch.clock import now
from dispatch.events import Answer, PlannedCall, Reason
from dispatch.fanout.reasons import AT_HOME, CLOSED, NOT_WANTED
from dispatch.identifiers import CommitId, PersonId
from dispatch.roster import LeftOut, WebhookPoint
from dispatch.settings import Settings
from tests.integration.test_fanout_watchdog import hurry
from tests.receivers import status
from tests.standing_in import Hand, silent_press, watching
from tests.village import HOUSEHOLD, SECRET, Village, opened, outcomes
from tests.workers import working


async def test_who_is_left_out_is_not_rung(village: Village, nats_settings: Settings) -> None:
    case_id = await opened(village)
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    out = LeftOut(person=PersonId("p-0"), by="operator:wang", at=now(), reason="test")
    await village.roster.put(replace(home, left_out=(out,)), by="test")
    async with watching(village, nats_settings):
        await village.case_where(case_id, lambda c: len(outcomes(c)) >= 6, "three to be called")
    assert [len(rings) for rings in village.rings()] == [0, 1, 1, 1]


async def test_who_was_called_by_name_is_rung_though_they_are_left_out(
    village: Village, nats_settings: Settings
) -> None:
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    out = LeftOut(person=PersonId("p-0"), by="operator:wang", at=now(), reason="test")
    await village.roster.put(replace(home, left_out=(out,)), by="test")
    case_id = await opened(village)
    asked = PlannedCall(responder=PersonId("p-0"), reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    await CaseDesk(village.log).handle(case_id, CallOne(id=CommitId("ask"), at=now(), by="operator:wang", call=asked))
    async with watching(village, nats_settings):
        await village.finished(case_id)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_the_call_widens_while_the_fan_out_is_away(village: Village, nats_settings: Settings) -> None:
    await hurry(village, 1)
    async with watching(village, nats_settings):
        case_id = await village.press()
        case = await village.case_where(case_id, lambda c: c.position == 1 and not c.owed(), "the next step")
    assert {step for step, _ in case.calls} == {0, 1}
    assert [len(rings) for rings in village.rings()] == [2, 2, 2, 2]


async def test_who_is_rung_are_those_who_have_not_answered_since_and_may_come(
    village: Village, nats_settings: Settings
) -> None:
    """p-0 answered and p-1 was stood down; p-2 could not come, and an operator called them again all the same."""
    case_id = await opened(village)
    desk = CaseDesk(village.log)
    answers: dict[str, Answer] = {"p-0": "going", "p-2": "cannot"}
    for person, answer in answers.items():
        id_ = CommitId(f"answer-{person}")
        reply = GiveAnswer(id=id_, at=now(), responder=PersonId(person), answer=answer, via="page")
        await desk.handle(case_id, reply)
    down = StandDown(id=CommitId("down"), at=now(), by="operator:wang", responders=(PersonId("p-1"),))
    await desk.handle(case_id, down)
    asked = PlannedCall(responder=PersonId("p-2"), reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    await desk.handle(case_id, CallOne(id=CommitId("ask"), at=now(), by="operator:wang", call=asked))
    async with watching(village, nats_settings):
        case = await village.finished(case_id)
    assert [len(rings) for rings in village.rings()] == [0, 0, 1, 1]
    assert outcomes(case)["p-1", "webhook"] == ("failed", NOT_WANTED, 1)


async def test_every_contact_point_rings(village: Village, nats_settings: Settings) -> None:
    """The first may be an old machine's that takes everything."""
    old, new = village.receivers[:2]
    await village.settle([(WebhookPoint(url=old.url, secret=SECRET), WebhookPoint(url=new.url, secret=SECRET))])
    old.answer = status(410)
    case_id = await opened(village)
    async with watching(village, nats_settings):
        case = await village.finished(case_id)
    assert [len(rings) for rings in village.rings()[:2]] == [1, 1]
    assert outcomes(case)["p-0", "webhook"] == ("sent", None, 1)


@pytest.mark.parametrize("hand", [watching, working], ids=["rescue", "fan-out"])
async def test_a_silent_press_before_the_calls_are_made_keeps_the_phones_at_home_silent(
    village: Village, nats_settings: Settings, hand: Hand
) -> None:
    """The loud press's plan, with whoever lives there, is on the log already; an operator calls one of them by name."""
    known = await village.roster.household(HOUSEHOLD)
    assert known is not None
    await village.roster.put(replace(known, residents=(PersonId("p-0"), PersonId("p-1"))), by="test")
    case_id, desk = await opened(village), CaseDesk(village.log)
    await desk.press(silent_press(), village.plan)
    await desk.handle(case_id, insisting_on(PersonId("p-1")))
    async with hand(village, nats_settings):
        case = await village.finished(case_id)
    calls = {key: call for key, call in case.calls.items() if key[0] in {0, 2}}
    assert {key: call.outcomes["webhook"].reason for key, call in calls.items()} == {
        (0, "p-0"): AT_HOME, (0, "p-1"): AT_HOME, (0, "p-2"): None, (0, "p-3"): None, (2, "p-1"): None,
    }  # fmt: skip
    assert [len(rings) for rings in village.rings()][:2] == [0, 1]
    assert not follows(case)


@pytest.mark.parametrize(("hand", "why"), [(watching, CLOSED), (working, AT_HOME)], ids=["rescue", "fan-out"])
async def test_a_duress_before_a_call_by_name_is_made_keeps_the_phone_at_home_silent(
    village: Village, nats_settings: Settings, hand: Hand, why: str
) -> None:
    """The case was but silent when the operator insisted; now it is over to whoever lives there."""
    him = PersonId("p-1")
    known = await village.roster.household(HOUSEHOLD)
    assert known is not None
    await village.roster.put(replace(known, residents=(him,)), by="test")
    case_id, desk = await opened(village), CaseDesk(village.log)
    await desk.press(silent_press(), village.plan)
    await desk.handle(case_id, insisting_on(him))
    await desk.handle(case_id, SignalDuress(id=CommitId("duress"), at=now(), by=f"device:{HOUSEHOLD}"))
    async with hand(village, nats_settings):
        case = await village.finished(case_id)
    (by_name,) = (call for call in case.calls.values() if call.insisted)
    assert (by_name.responder, by_name.outcomes["webhook"].reason) == (him, why)
    assert village.rings()[1] == []


def insisting_on(person: PersonId) -> CallOne:
    """An operator's call of somebody who is not to be called."""
    named = PlannedCall(responder=person, reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    return CallOne(id=CommitId("named"), at=now(), by="operator:wang", call=named, even_left_out=True)
