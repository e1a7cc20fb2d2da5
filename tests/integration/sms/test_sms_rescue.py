"""The fan-out is away: the watchdog sends the texts, over a session that it gives up when the fan-out is back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg

from dispatch.cases import CaseDesk, RecordCalls
from dispatch.clock import now
from dispatch.events import CASES, CallOutcome
from dispatch.fanout import rescue, worker
from dispatch.fanout.again import TEXTS, again_subject
from dispatch.fanout.channels import Sent
from dispatch.fanout.channels.sms import SmsSender
from dispatch.fanout.ring import Ring
from dispatch.fanout.sms import pdu, session
from dispatch.identifiers import CaseId, CommitId, HouseholdId, PersonId
from dispatch.process import alive
from dispatch.roster import SmsPoint
from dispatch.settings import Settings
from tests.smsc.fake import FakeSmsc
from tests.standing_in import be_away_for, everybody_here, handled, hasten, in_hand, looks_at, watching
from tests.texting import ANNA, BO, close, happens, of, where_it_is
from tests.village import HOUSEHOLD, Village, opened
from tests.waiting import until
from tests.workers import leave_what_hangs, working

OTHERS = HouseholdId("h-2")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


async def test_texts_go_out_and_what_they_bring_is_heard(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    async with watching(village, sms_settings):
        case_id = await village.press()
        await where_it_is(village, case_id, "p-0", "sent")
        await where_it_is(village, case_id, "p-1", "sent")
        for part in [part for part in smsc.parts if f"+{part.to}" == ANNA]:
            assert await smsc.receipt(part) == pdu.OK
        await where_it_is(village, case_id, "p-0", "delivered")
        assert await smsc.says(BO[1:], "1 10") == pdu.OK
        case = await village.case(case_id)
    assert {person: reply.answer for person, reply in case.replies.items()} == {"p-1": "going"}
    assert [len(smsc.texts(number)) for number in (ANNA, BO)] == [1, 1]


async def test_there_is_one_session_and_none_is_lost_between_the_two(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    """An account may allow but one: while the fan-out is there it is the fan-out's."""
    async with working(village, sms_settings):
        await happens(lambda: smsc.bound == 1, "the fan-out to be bound")
    await happens(lambda: smsc.bound == 0, "it to be gone")
    async with watching(village, sms_settings):
        case_id = await village.press()
        for person in ("p-0", "p-1"):
            await where_it_is(village, case_id, person, "sent")
        assert smsc.binds == 2
        async with alive(village.nc, "fanout", sms_settings), working(village, sms_settings):
            await happens(lambda: smsc.binds == 3 and smsc.bound == 1, "the watchdog to have unbound")
            for part in smsc.parts:
                assert await smsc.receipt(part, "UNDELIV" if f"+{part.to}" == BO else "DELIVRD") == pdu.OK
            await where_it_is(village, case_id, "p-0", "delivered")
            await where_it_is(village, case_id, "p-1", "failed")
            assert await smsc.says(BO[1:], "1") == pdu.OK
            case = await village.case(case_id)
    assert set(case.replies) == {"p-1"}
    assert of(case, "p-0") == ("delivered", None, 1)
    assert [len(smsc.texts(number)) for number in (ANNA, BO)] == [1, 1]


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many texts to each of these people hang inside the fan-out from now on; one, if nobody says more."""
    sending, hang = SmsSender.send, Counter(("p-0", "p-1"))

    async def send(self: SmsSender, ring: Ring, point: SmsPoint) -> Sent:
        if hang[ring.responder]:
            hang[ring.responder] -= 1
            await asyncio.Event().wait()
        return await sending(self, ring, point)

    monkeypatch.setattr(SmsSender, "send", send)
    leave_what_hangs(monkeypatch)
    return hang


async def test_a_text_that_hangs_in_a_fan_out_that_is_there_is_asked_for_again_over_its_own_session(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, hanging: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient(monkeypatch)
    it_hangs_and_stays(monkeypatch)
    there = alive(village.nc, "fanout", sms_settings)
    async with there, working(village, sms_settings), watching(village, sms_settings):
        case_id = await village.press()
        for person in ("p-0", "p-1"):
            await where_it_is(village, case_id, person, "sent")
    assert hanging.total() == 0
    each_has_one_text_over_one_session(smsc)


async def test_the_texts_of_a_fan_out_that_takes_nothing_more_go_over_its_own_session_too(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, hanging: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first case is all that it can have in hand, and hangs."""
    be_patient(monkeypatch)
    monkeypatch.setattr(worker, "CALLS_IN_HAND", 1)
    be_away_for(timedelta(seconds=2), monkeypatch)
    await another_household(village)
    async with alive(village.nc, "fanout", sms_settings), working(village, sms_settings):
        await happens(lambda: smsc.bound == 1, "the fan-out to be bound")
        await village.press()
        await happens(lambda: hanging.total() == 0, "the first texts to hang")
        async with watching(village, sms_settings):
            lies = await village.press(household=OTHERS)
            for person in ("p-0", "p-1"):
                await where_it_is(village, lies, person, "sent")
    each_has_one_text_over_one_session(smsc)


def it_hangs_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is owed for two seconds hangs; the fan-out is not taken to be away all the same."""
    monkeypatch.setattr(rescue, "HANGS", timedelta(seconds=2))
    be_away_for(timedelta(minutes=5), monkeypatch)


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fan-out is well and may take its time, as the looks of these stories come quicker than any SMSC answers."""
    monkeypatch.setattr(rescue, "PATIENT_LOOKS", 10_000)


async def another_household(village: Village) -> None:
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    await village.roster.put(replace(home, id=OTHERS), by="test")


async def test_a_text_that_hangs_in_the_fan_out_once_more_is_soon_sent_from_here(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, hanging: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it takes in hand what it is asked for, and says so on the log, is no text yet."""
    hanging.update(hanging)
    it_hangs_and_stays(monkeypatch)
    there = alive(village.nc, "fanout", sms_settings)
    async with there, working(village, sms_settings), watching(village, sms_settings):
        case_id = await village.press()
        for person in ("p-0", "p-1"):
            await where_it_is(village, case_id, person, "sent")
    assert hanging.total() == 0
    assert [len(smsc.texts(number)) for number in (ANNA, BO)] == [1, 1]


async def test_a_fan_out_that_is_asked_and_says_nothing_is_waited_for_while_texts_go_out_and_no_longer(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked for may wait in a queue behind them; the account may allow no second session."""
    it_hangs_and_stays(monkeypatch)
    await everybody_here(village)
    await another_household(village)
    case_id, busy = await opened(village), await opened(village, OTHERS)
    await in_hand(village)
    async with asked_in_vain(village) as asked, watching(village, sms_settings):
        looks = await looks_at(village)
        await text_goes_out(village, busy, 0)
        await asyncio.wait_for(asked.wait(), 20)
        for number in range(1, rescue.PATIENT_LOOKS):
            await text_goes_out(village, busy, number)
            await looks.some_more(3)
        assert smsc.binds == 0
        for person in ("p-0", "p-1"):
            await where_it_is(village, case_id, person, "sent")
    assert smsc.binds == 1


async def text_goes_out(village: Village, case: CaseId, number: int) -> None:
    """The fan-out's record of a text to the first of the village: refused at first, and taken then."""
    for outcome in ("failed", "sent"):
        at = now()
        made = CallOutcome(step=0, responder=PersonId("p-0"), channel="sms", outcome=outcome, at=at, attempt=1)
        record = RecordCalls(id=CommitId(f"calls-{number}-{outcome}"), at=at, outcomes=(made,))
        assert (await CaseDesk(village.log).handle(case, record)).events


@asynccontextmanager
async def asked_in_vain(village: Village) -> AsyncIterator[asyncio.Event]:
    """Somebody is there whom texts can be asked for again, and says nothing; set when they were."""
    asked = asyncio.Event()

    async def never_answer(_request: Msg) -> None:
        asked.set()

    subscription = await village.nc.subscribe(again_subject(village.site, TEXTS), cb=never_answer)
    yield asked
    await subscription.unsubscribe()


def each_has_one_text_over_one_session(smsc: FakeSmsc) -> None:
    assert smsc.binds == 1
    assert [len(smsc.texts(number)) for number in (ANNA, BO)] == [1, 1]


async def texts_go_from_here(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fan-out is there and answers nothing that it is asked; a case has been owed its texts for long."""
    it_hangs_and_stays(monkeypatch)
    await everybody_here(village)
    case_id = await opened(village)
    await in_hand(village)
    async with watching(village, sms_settings):
        for person in ("p-0", "p-1"):
            await where_it_is(village, case_id, person, "sent")
    each_has_one_text_over_one_session(smsc)


async def test_where_nobody_answers_who_is_asked_again_the_watchdog_texts_itself(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    await texts_go_from_here(village, sms_settings, smsc, monkeypatch)


async def test_texts_of_a_commit_that_a_replica_does_not_have_yet_are_sent_from_here(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "rings_of", lambda _commit: set())
    await texts_go_from_here(village, sms_settings, smsc, monkeypatch)


async def test_a_fan_out_that_goes_while_it_is_asked_again_is_waited_for_no_longer(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "HANGS", timedelta(seconds=2))
    be_patient(monkeypatch)
    be_away_for(timedelta(seconds=3), monkeypatch)
    case_id = await opened(village)
    await in_hand(village)
    async with asked_in_vain(village) as asked, watching(village, sms_settings):
        async with alive(village.nc, "fanout", sms_settings):
            await asyncio.wait_for(asked.wait(), 20)
            assert smsc.binds == 0
        for person in ("p-0", "p-1"):
            await where_it_is(village, case_id, person, "sent")
    assert smsc.binds == 1


async def test_word_that_has_gone_by_text_is_not_sent_again_and_keeps_no_session_from_the_fan_out(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bo's phone hears it and the SMSC does not say so: of that alone nobody can know, and it is sent once more."""
    monkeypatch.setattr(session, "ANSWER_SECONDS", 60.0)
    async with watching(village, sms_settings):
        case_id = await village.press()
        for person in ("p-0", "p-1"):
            await where_it_is(village, case_id, person, "sent")
        smsc.unanswered.add(BO[1:])
        await close(village, case_id)
        await happens(lambda: all(len(smsc.texts(number)) == 2 for number in (ANNA, BO)), "both to be told")
        async with alive(village.nc, "fanout", sms_settings), working(village, sms_settings):
            await happens(lambda: (smsc.binds, smsc.bound) == (2, 1), "the watchdog to have unbound")
            smsc.unanswered.clear()
            await until(lambda: handled(village, CASES, "notices"), "the fan-out to have dealt with it")
    assert [len(smsc.texts(number)) for number in (ANNA, BO)] == [2, 3]


async def test_an_smsc_that_is_not_there_at_first_is_waited_for(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    await smsc.stop()
    async with watching(village, sms_settings):
        case_id = await village.press()
        await village.case_where(case_id, lambda case: bool(case.calls), "the case")
        await smsc.start()
        await where_it_is(village, case_id, "p-0", "sent")
    assert len(smsc.texts(ANNA)) == 1
