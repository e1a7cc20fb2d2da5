"""Text messages: what becomes of them, and what those who got them answer; an SMSC of ours that does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise

import pytest
from nats.aio.client import Client
from pydantic import SecretStr
from structlog.testing import capture_logs

from dispatch.cases import Case, CaseDesk, Resolve
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import connect, ensure_streams
from dispatch.fanout import recorder
from dispatch.fanout.sms import pdu, session
from dispatch.fanout.sms.inbox import Inbox
from dispatch.fanout.sms.link import Link
from dispatch.fanout.sms.memory import Memory
from dispatch.fanout.sms.session import Account
from dispatch.identifiers import CaseId, CommitId, PersonId
from dispatch.roster import SmsPoint
from dispatch.settings import Settings
from tests.integration.test_fanout import working
from tests.smsc.fake import FakeSmsc, Part, fake_smsc
from tests.village import Village, outcomes, until

ANNA, BO = "+8613800138000", "+8613900139000"
STRANGER = "+8613700137000"


@pytest.fixture
async def nc(nats_url: str) -> AsyncIterator[Client]:
    client = await connect(nats_url, "test")
    await ensure_streams(client.jetstream())
    yield client
    await client.close()


@pytest.fixture
async def smsc() -> AsyncIterator[FakeSmsc]:
    async with fake_smsc() as running:
        yield running


@pytest.fixture
def sms_settings(nats_url: str, smsc: FakeSmsc, request: pytest.FixtureRequest) -> Settings:
    return settings_at(smsc, nats_url, f"s{abs(hash(request.node.nodeid))}")


def settings_at(smsc: FakeSmsc, nats_url: str, site: str) -> Settings:
    """Settings of a site with an account at `smsc`."""
    return Settings(
        site=site,
        nats_url=nats_url,
        sms_host="127.0.0.1",
        sms_port=smsc.port,
        sms_system_id="dispatch",
        sms_password=SecretStr("secret"),
        sms_sender="10690110",
        sms_rate=500,
    )


@pytest.fixture
async def village(nc: Client, sms_settings: Settings) -> Village:
    village = Village(nc, sms_settings.site)
    await village.settle([(SmsPoint(number=ANNA),), (SmsPoint(number=BO),)])
    return village


@asynccontextmanager
async def texting(village: Village, settings: Settings, smsc: FakeSmsc, workers: int = 1) -> AsyncIterator[None]:
    """So many workers, each bound to the SMSC."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(workers):
            await stack.enter_async_context(working(village, settings))

        async def all_bound() -> bool:
            return smsc.bound == workers

        await until(all_bound, "the workers to be bound")
        yield


def of(case: Case, person: str) -> tuple[str, str | None, int] | None:
    return outcomes(case).get((person, "sms"))


async def where_it_is(village: Village, case: CaseId, person: str, outcome: str) -> Case:
    def is_so(case: Case) -> bool:
        known = of(case, person)
        return known is not None and known[0] == outcome

    return await village.case_where(case, is_so, f"{person} to be {outcome}")


async def close(village: Village, case: CaseId) -> None:
    command = Resolve(id=CommitId(f"close-{case}"), at=now(), by="operator:test", resolution="helped")
    await CaseDesk(village.log).handle(case, command)


async def happens(condition: Callable[[], bool], what: str) -> None:
    async def so() -> bool:
        return condition()

    await until(so, what)


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
    village: Village, sms_settings: Settings, smsc: FakeSmsc
) -> None:
    smsc.judge = lambda _: pdu.THROTTLED
    async with texting(village, sms_settings, smsc):
        case = await village.finished(await village.press())
    for person in ("p-0", "p-1"):
        outcome, reason, _ = of(case, person) or ("", "", 0)
        assert outcome == "failed"
        assert "the SMSC takes no more for now (ESME_RTHROTTLED)" in (reason or "")
    assert len(smsc.refused) < 20


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


async def test_no_more_texts_wait_for_an_answer_than_the_window_has(
    village: Village, sms_settings: Settings, smsc: FakeSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.5)
    smsc.answering = False
    narrow = sms_settings.model_copy(update={"sms_window": 1})
    async with texting(village, narrow, smsc):
        case_id = await village.press()
        await happens(lambda: len(smsc.parts) == 1, "a part")
        case = await village.finished(case_id)
    for person in ("p-0", "p-1"):
        outcome, reason, _ = of(case, person) or ("", "", 0)
        assert (outcome, "the SMSC did not answer in time; it may have the text" in (reason or "")) == ("failed", True)
    times = [part.at for part in smsc.parts]
    assert len(times) >= 2
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.49


async def test_texts_keep_their_pace(village: Village, sms_settings: Settings, smsc: FakeSmsc) -> None:
    slow = sms_settings.model_copy(update={"sms_rate": 5})
    async with texting(village, slow, smsc):
        await village.finished(await village.press())
    times = [part.at for part in smsc.parts]
    assert len(times) >= 4
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.1


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
