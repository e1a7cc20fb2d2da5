"""Text messages over an SMSC that nobody here wrote: node-smpp."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from pydantic import SecretStr
from structlog.testing import capture_logs

from dispatch.fanout.sms import pdu
from dispatch.roster import SmsPoint
from dispatch.settings import Settings
from tests.node_packages import CannotBeHad
from tests.smsc.account import with_smsc
from tests.smsc.node import NodeSmsc, node_smsc
from tests.texting import soon_given_up
from tests.village import Village, outcomes
from tests.workers import working

PASSWORD = "secret08"
NUMBER = "+8613800138000"


@pytest.fixture
async def smsc() -> AsyncIterator[NodeSmsc]:
    try:
        async with node_smsc(PASSWORD) as running:
            yield running
    except CannotBeHad as reason:
        pytest.skip(str(reason))


@pytest.fixture
def sms_settings(nats_settings: Settings, smsc: NodeSmsc) -> Settings:
    return with_smsc(nats_settings, smsc.port, PASSWORD)


@pytest.fixture
async def village(nc: Client, sms_settings: Settings) -> Village:
    village = Village(nc, sms_settings.site)
    await village.settle([(SmsPoint(number=NUMBER),)])
    return village


@pytest.mark.parametrize("receipts", ["text", "tlv"])
async def test_a_long_chinese_text_arrives_whole_and_its_receipts_make_it_delivered(
    smsc: NodeSmsc, village: Village, sms_settings: Settings, receipts: str
) -> None:
    await smsc.tell(receipts=receipts)
    async with working(village, sms_settings):
        case = await village.press(drill=True)
        await village.case_where(
            case, lambda c: outcomes(c).get(("p-0", "sms"), ("",))[0] == "delivered", "the receipt on the case"
        )
    (bind,) = smsc.of("bind")
    assert (bind["system_id"], bind["version"], bind["right"]) == ("dispatch", 0x34, True)
    parts = smsc.of("submit_sm")
    assert len(parts) > 1
    assert {(p["to"], p["to_ton"], p["to_npi"], p["from"], p["data_coding"]) for p in parts} == {
        (NUMBER[1:], 1, 1, "10690110", 8)
    }
    assert [p["udh"][0][-4:] for p in parts] == [f"{len(parts):02x}{n:02x}" for n in range(1, len(parts) + 1)]
    assert len({p["udh"][0][4:6] for p in parts}) == 1, "all parts have one reference"
    assert all(len(p["text"]) <= 67 for p in parts)
    text = "".join(p["text"] for p in parts)
    assert text.startswith("【演练 DRILL】求助 · 茅州村 李家，12 号。")
    assert "回复1前往 2不能 3到场" in text
    assert text.rsplit(" ", 1)[1].startswith("https://dispatch.example/r/")
    assert await smsc.saw("unbind"), "a worker that stops says so"


async def test_a_text_with_a_1_is_going(smsc: NodeSmsc, village: Village, sms_settings: Settings) -> None:
    async with working(village, sms_settings):
        case = await village.press()
        await village.finished(case)
        message = {"message": "１ 10分钟"}
        await smsc.tell(deliver={"source_addr": "8613800138000", "source_addr_ton": 1, "short_message": message})
        replied = await village.case_where(case, lambda c: bool(c.replies), "the answer on the case")
        (answered,) = await smsc.saw("deliver_resp")
    (reply,) = replied.replies.values()
    assert (reply.answer, reply.eta_minutes, answered["status"]) == ("going", 10, 0)


async def test_throttling_is_waited_out(smsc: NodeSmsc, village: Village, sms_settings: Settings) -> None:
    await smsc.tell(statuses=[pdu.THROTTLED, pdu.QUEUE_FULL], receipts="none")
    async with working(village, sms_settings):
        case = await village.finished(await village.press())
        assert outcomes(case)["p-0", "sms"] == ("sent", None, 1)
        assert [p["status"] for p in smsc.of("submit_sm")][:2] == [pdu.THROTTLED, pdu.QUEUE_FULL]


async def test_the_link_answers_and_outlives_what_it_does_not_know(
    smsc: NodeSmsc, village: Village, sms_settings: Settings
) -> None:
    async with working(village, sms_settings):
        await smsc.saw("bind")
        await smsc.tell(enquire=True)
        assert (await smsc.saw("enquire_resp"))[0]["status"] == 0
        await smsc.tell(nonsense=True)
        assert (await smsc.saw("nonsense_resp"))[0]["command"] == "generic_nack"
        assert outcomes(await village.finished(await village.press()))["p-0", "sms"][0] in {"sent", "delivered"}
    assert len(smsc.of("bind")) == 1


async def test_an_smsc_that_is_not_there_blocks_nobody_and_is_found_when_it_comes_back(
    smsc: NodeSmsc, village: Village, sms_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon_given_up(monkeypatch)
    port = smsc.port
    await smsc.end()
    async with working(village, sms_settings):
        case = await village.finished(await village.press())
        outcome, reason, _ = outcomes(case)["p-0", "sms"]
        assert (outcome, "no connection to the SMSC" in (reason or "")) == ("failed", True)
        async with node_smsc(PASSWORD, port) as again:
            await again.saw("bind")


async def test_a_wrong_password_is_said(smsc: NodeSmsc, village: Village, sms_settings: Settings) -> None:
    wrong = sms_settings.model_copy(update={"sms_password": SecretStr("other")})
    with capture_logs() as said:
        async with working(village, wrong):
            await smsc.saw("bind", 2, where=lambda line: not line["right"])
    reasons = [entry["reason"] for entry in said if entry["event"] == "sms.no_link"]
    assert reasons[0] == "the SMSC refused the bind: ESME_RINVPASWD"
    assert "other" not in str(said)
