"""The fan-out is away: the watchdog sends the texts, over a session that it gives up when the fan-out is back."""

from __future__ import annotations

import pytest

from dispatch.fanout.sms import pdu
from dispatch.process import alive
from dispatch.settings import Settings
from tests.smsc.fake import FakeSmsc
from tests.standing_in import hasten, watching
from tests.texting import ANNA, BO, happens, of, where_it_is
from tests.village import Village
from tests.workers import working


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
