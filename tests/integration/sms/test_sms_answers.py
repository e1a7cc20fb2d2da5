"""What those who got a text answer: the newest case, words that nobody understands, floods, no place to keep it."""

from __future__ import annotations

import random
from collections.abc import Awaitable

import pytest
from structlog.testing import capture_logs

from dispatch.errors import Unavailable
from dispatch.fanout.sms import pdu
from dispatch.fanout.sms.memory import Memory
from dispatch.identifiers import PersonId
from dispatch.settings import Settings
from tests.smsc.fake import FakeSmsc
from tests.texting import ANNA, BO, STRANGER, close, happens, of, texting
from tests.village import Village


async def test_an_answer_reaches_the_newest_open_case(village: Village, sms_settings: Settings, smsc: FakeSmsc) -> None:
    async with texting(village, sms_settings, smsc, workers=2):
        first = await village.finished(await village.press())
        await close(village, first.id)
        second = await village.finished(await village.press())
        assert await smsc.says("13800138000", "1 10分钟") == pdu.OK
        assert await smsc.says("008613900139000", "３。") == pdu.OK
        case = await village.case(second.id)
        answers = {person: (reply.answer, reply.eta_minutes) for person, reply in case.replies.items()}
        assert answers == {"p-0": ("going", 10), "p-1": ("on_scene", None)}
        assert not (await village.case(first.id)).replies
        assert await smsc.says("8613800138000", "不能", data_coding=pdu.UCS2) == pdu.OK
        assert (await village.case(second.id)).replies[PersonId("p-0")].answer == "cannot"


async def test_whoever_cannot_be_understood_is_told_so_and_once(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
        before = len(smsc.texts(ANNA))
        for text in ("？", "什么情况", "110", "1 2 3"):
            assert await smsc.says(ANNA[1:], text) == pdu.OK
        assert await smsc.says(STRANGER[1:], "1") == pdu.OK
        assert await smsc.says(STRANGER[1:], "2") == pdu.OK
        (told,) = smsc.texts(ANNA)[before:]
        assert told.startswith("未能识别您的回复。")
        assert smsc.texts(STRANGER) == [], "a text in a stranger's name costs us none"
        assert not (await village.case(case.id)).replies
        await close(village, case.id)
        assert await smsc.says(BO[1:], "1") == pdu.OK
        assert smsc.texts(BO)[-1].startswith("您目前没有待应答的警情")


async def test_the_words_of_a_receipt_in_a_phones_text_are_but_a_text(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
        for part in list(smsc.parts):
            assert await smsc.says(part.to, f"id:{part.message_id} stat:DELIVRD", data_coding=0) == pdu.OK
        assert of(await village.case(case.id), "p-0") == ("sent", None, 1)


async def test_a_flood_of_rubbish_breaks_nothing_and_is_not_read_for_ever(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    chance = random.Random(7)
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
        with capture_logs() as said:
            for _ in range(60):
                octets = chance.randbytes(chance.randrange(254))
                coding, kind = chance.randrange(256), chance.choice((0x00, 0x40, 0x04, 0x44))
                assert await smsc.deliver(BO[1:], octets, data_coding=coding, esm_class=kind) == pdu.OK
                assert await smsc.deliver("\x01bank", octets, data_coding=coding, esm_class=kind) == pdu.OK
            for _ in range(30):
                await smsc.says(STRANGER[1:], "1")
        assert not [entry for entry in said if entry["log_level"] == "error"]
        reasons = [entry["reason"] for entry in said if entry["event"] == "sms.passed_over"]
        assert {"sender", "too many"} <= set(reasons)
        assert await smsc.says(ANNA[1:], "1") == pdu.OK
        assert (await village.case(case.id)).replies[PersonId("p-0")].answer == "going", "others are heard"
        assert smsc.texts(STRANGER) == []
    assert smsc.binds == 1


async def test_what_cannot_be_kept_now_is_left_with_the_smsc(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> Awaitable[None]:
        raise Unavailable("no answer")

    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
        with monkeypatch.context() as broken:
            broken.setattr(Memory, "calls_of", away)
            broken.setattr(Memory, "ref_of", away)
            assert await smsc.says(ANNA[1:], "1") == pdu.TRY_AGAIN
            assert await smsc.receipt(smsc.parts[0]) == pdu.TRY_AGAIN
        assert await smsc.says(ANNA[1:], "1") == pdu.OK
        assert (await village.case(case.id)).replies[PersonId("p-0")].answer == "going"


async def test_word_that_it_is_over_is_a_text_and_says_that_it_was_a_drill(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press(drill=True))
        await close(village, case.id)
        await happens(lambda: len(smsc.texts(ANNA)) == 2, "the text that it is over")
    called, over = smsc.texts(ANNA)
    assert called.startswith("【演练 DRILL】求助")
    assert over == "【演练 DRILL】求助 · 茅州村 李家：警情已结束，感谢您，不用前往。"
