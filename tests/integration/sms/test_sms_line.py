"""The line to the SMSC: throttled, refused, cut, silent, full; and the pace of texts."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from dispatch.fanout.sms import pdu, session
from dispatch.fanout.sms.link import Link
from dispatch.fanout.sms.pdu import Pdu
from dispatch.fanout.sms.session import Account, Session
from dispatch.identifiers import PersonId
from dispatch.roster import SmsPoint
from dispatch.settings import Settings
from tests.smsc.fake import FakeSmsc
from tests.texting import ANNA, BO, close, happens, of, soon_given_up, texting
from tests.village import Village


async def test_a_text_that_is_throttled_in_its_middle_goes_on_from_there(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    await village.settle([(SmsPoint(number=ANNA),)])
    smsc.statuses = [pdu.THROTTLED, pdu.OK, pdu.QUEUE_FULL]
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
    assert of(case, "p-0") == ("sent", None, 1)
    assert len(smsc.texts(ANNA)) == 1
    assert len(smsc.parts) == len({part.octets for part in smsc.parts}), "no part went twice"
    (first, _), (second, _) = smsc.refused
    assert smsc.parts[0].at - first >= 1
    assert smsc.parts[1].at - second >= 1


async def test_throttled_for_too_long_is_a_failure_with_its_reason(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon_given_up(monkeypatch)
    smsc.judge = lambda _: pdu.THROTTLED
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
    for person in ("p-0", "p-1"):
        outcome, reason, _ = of(case, person) or ("", "", 0)
        assert outcome == "failed"
        assert "the SMSC takes no more for now (ESME_RTHROTTLED)" in (reason or "")
    assert len(smsc.refused) <= 2 * 3, "each once in a second"


async def test_a_number_that_is_none_is_retired_but_not_by_an_smsc_that_refuses_everybody(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    refused = ("failed", "the SMSC refused it (ESME_RINVDSTADR)", 1)

    async def retired() -> list[str | None]:
        people = await village.roster.people([PersonId("p-0"), PersonId("p-1")])
        return [people[PersonId(f"p-{n}")].contact_points[0].retired for n in range(2)]

    async with texting(village, sms_settings, smsc):
        smsc.judge = lambda _: pdu.INVALID_DESTINATION
        first = await village.finished(await village.press())
        assert of(first, "p-0") == of(first, "p-1") == refused
        assert await retired() == [None, None]
        await close(village, first.id)
        smsc.judge = lambda _: pdu.OK
        second = await village.finished(await village.press())
        await close(village, second.id)
        await happens(lambda: len(smsc.texts(ANNA)) == len(smsc.texts(BO)) == 2, "the texts that it is over")
        smsc.judge = lambda number: pdu.INVALID_DESTINATION if f"+{number}" == ANNA else pdu.OK
        third = await village.finished(await village.press())
        assert (of(third, "p-0"), of(third, "p-1")) == (refused, ("sent", None, 1))
        assert await retired() == ["the SMSC refused it (ESME_RINVDSTADR)", None]


async def test_an_smsc_that_restarts_in_the_middle_gets_the_text_once_more_and_no_oftener(
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    async with texting(village, sms_settings, smsc):
        smsc.answering = False
        case_id = await village.press()
        await happens(lambda: len(smsc.parts) >= 2, "the first part of each text")
        await smsc.stop()
        smsc.answering = True
        await smsc.start()
        case = await village.finished(case_id)
    assert of(case, "p-0") == of(case, "p-1") == ("sent", None, 1)
    for number in (ANNA, BO):
        assert len(smsc.texts(number)) == 1, "the part is the same, under the same reference: the phone shows one text"
        first = [part for part in smsc.parts if f"+{part.to}" == number and part.octets[5] == 1]
        assert len(first) == 2


async def test_an_smsc_that_says_nothing_any_more_is_left_and_found_again(smsc: FakeSmsc) -> None:
    async def take(_: object) -> int:
        return pdu.OK

    account = Account(
        host="127.0.0.1", port=smsc.port, system_id="d", password="s", sender="10690110", rate=100, window=2
    )
    link = Link(account, enquire_seconds=0.2)
    running = asyncio.create_task(link.run(take))
    await happens(lambda: smsc.enquiries >= 3, "enquiries over a quiet link")
    assert smsc.binds == 1, "one that answers is kept"
    smsc.deaf = True
    with capture_logs() as said:
        await happens(lambda: any(entry["event"] == "sms.no_link" for entry in said), "the link to be given up")
    assert said[0]["reason"] == "the SMSC does not answer an enquire_link"
    smsc.deaf = False
    await happens(lambda: smsc.binds >= 2, "another bind")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("of", ["run", "_ask"])
async def test_a_link_outlives_an_error_that_nobody_expected(
    smsc: FakeSmsc, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its session, or of who watches whether the SMSC is still there."""
    failed, works = asyncio.Event(), getattr(Session, of)

    async def failing(self: Session, *args: object) -> object:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("nobody expected it")
        return await works(self, *args)

    async def take(_: object) -> int:
        return pdu.OK

    monkeypatch.setattr(Session, of, failing)
    account = Account(
        host="127.0.0.1", port=smsc.port, system_id="d", password="s", sender="10690110", rate=100, window=2
    )
    running = asyncio.create_task(Link(account, enquire_seconds=0.2).run(take))
    await happens(lambda: smsc.binds == 2, "another session")
    await happens(lambda: smsc.enquiries >= 1, "it to be watched")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_no_more_texts_wait_for_an_answer_than_the_window_has(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon_given_up(monkeypatch)
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.5)
    asking, under_way, most = session.Session._ask, 0, 0

    async def counted(self: session.Session, command: int, body: bytes) -> Pdu:
        nonlocal under_way, most
        text = command == pdu.SUBMIT_SM
        under_way += text
        most = max(most, under_way)
        try:
            return await asking(self, command, body)
        finally:
            under_way -= text

    monkeypatch.setattr(session.Session, "_ask", counted)
    smsc.answering = False
    narrow = sms_settings.model_copy(update={"sms_window": 1})
    async with texting(village, narrow, smsc):
        case_id = await village.press()
        case = await village.finished(case_id)
    for person in ("p-0", "p-1"):
        outcome, reason, _ = of(case, person) or ("", "", 0)
        assert (outcome, "the SMSC did not answer in time; it may have the text" in (reason or "")) == ("failed", True)
    assert (len(smsc.parts) >= 2, most) == (True, 1)


async def test_texts_keep_their_pace(village: Village, sms_settings: Settings, smsc: FakeSmsc) -> None:
    slow = sms_settings.model_copy(update={"sms_rate": 5})
    async with texting(village, slow, smsc):
        await village.finished(await village.press())
    times = [part.at for part in smsc.parts]
    assert len(times) >= 4
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.1
