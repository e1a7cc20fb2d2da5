"""Text messages: what becomes of them, and what those who got them answer; an SMSC of ours that does as it is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dispatch.clock import now
from dispatch.fanout import recorder
from dispatch.fanout.sms import pdu, session
from dispatch.fanout.sms.inbox import Inbox
from dispatch.fanout.sms.memory import Memory
from dispatch.roster import SmsPoint
from dispatch.settings import Settings
from tests.smsc.fake import FakeSmsc, Part
from tests.texting import ANNA, BO, STRANGER, happens, of, soon_given_up, texting, where_it_is
from tests.village import Village
from tests.waiting import until


async def test_each_phone_shows_one_whole_text(village: Village, sms_settings: Settings, smsc: FakeSmsc) -> None:
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
    assert of(case, "p-0") == of(case, "p-1") == ("sent", None, 1)
    (text,) = smsc.texts(ANNA)
    assert text.startswith("求助 · 茅州村 李家，12 号。回复1前往 2不能 3到场 https://")
    assert len(smsc.texts(BO)) == 1


@pytest.mark.parametrize("outcome", ["delivered", "failed"])
@pytest.mark.parametrize("how", ["early", "late", "elsewhere"])
async def test_a_receipt_is_an_outcome_whenever_and_wherever_it_comes(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, outcome: str, how: str
) -> None:
    smsc.receipts = outcome  # type: ignore[assignment]
    smsc.early, smsc.elsewhere = how == "early", how == "elsewhere"
    async with texting(village, sms_settings, smsc, workers=2):
        case_id = await village.press()
        for person in ("p-0", "p-1"):
            case = await where_it_is(village, case_id, person, outcome)
            assert of(case, person) == (outcome, None if outcome == "delivered" else "UNDELIV, error 027", 1)


async def test_a_text_is_delivered_when_all_of_its_parts_are(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
        parts = [part for part in smsc.parts if f"+{part.to}" == ANNA]
        assert len(parts) > 1
        for part in reversed(parts[1:]):
            assert await smsc.receipt(part) == pdu.OK
        assert of(await village.case(case.id), "p-0") == ("sent", None, 1)
        assert await smsc.receipt(parts[0]) == pdu.OK
        assert of(await village.case(case.id), "p-0") == ("delivered", None, 1)
        assert await smsc.receipt(parts[0], "UNDELIV") == pdu.OK
        assert of(await village.case(case.id), "p-0") == ("delivered", None, 1), "what is known never gets worse"


async def test_a_failure_is_not_forgotten_when_it_is_told_before_the_sending_is_on_the_log(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes are recorded together, a little later; a receipt can be faster, and the clock of who gets it be slow."""
    soon_given_up(monkeypatch)
    defaults = Inbox.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "clock", lambda: now() - timedelta(minutes=1))
    monkeypatch.setattr(recorder, "BATCH_SECONDS", 2.0)
    monkeypatch.setattr(session, "ANSWER_SECONDS", 4.0)
    smsc.unanswered.add(BO[1:])
    memory = Memory(village.nc, village.site)
    async with texting(village, sms_settings, smsc):
        case_id = await village.press()
        await happens(lambda: len(smsc.texts(ANNA)) == 1, "Anna's text")
        last = [part for part in smsc.parts if f"+{part.to}" == ANNA][-1]
        await until(lambda: memory._find(last.message_id, ()), "the text to be known")
        assert of(await village.case(case_id), "p-0") is None
        assert await smsc.receipt(last, "REJECTD") == pdu.OK
        case = await village.finished(case_id)
    assert of(case, "p-0") == ("failed", "REJECTD", 1)


async def test_one_of_two_numbers_that_cannot_be_reached_is_no_failure(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    await village.settle([(SmsPoint(number=ANNA), SmsPoint(number=BO))])
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
        (first, *_) = (part for part in smsc.parts if f"+{part.to}" == ANNA)
        assert await smsc.receipt(first, "UNDELIV") == pdu.OK
        assert of(await village.case(case.id), "p-0") == ("sent", None, 1)


async def test_a_receipt_of_an_id_used_before_is_not_that_of_another_number(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
        annas = [part for part in smsc.parts if f"+{part.to}" == ANNA]
        for part in annas:
            counted_anew = Part(part.message_id, STRANGER[1:], b"", headed=False, wants_receipt=True, at=0)
            assert await smsc.receipt(counted_anew) == pdu.OK
        assert of(await village.case(case.id), "p-0") == ("sent", None, 1)
