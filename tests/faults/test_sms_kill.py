"""kill -9 of the worker around a text: at most one text more, and whatever the SMSC says later still finds its call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from dispatch.identifiers import PersonId
from dispatch.roster import SmsPoint
from dispatch.settings import Settings
from tests.smsc.fake import FakeSmsc, fake_smsc
from tests.village import Village, outcomes
from tests.waiting import until
from tests.workers import FanoutProcess

NUMBER = "+8613800138000"


@pytest.fixture
async def smsc(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSmsc]:
    """An SMSC, which the workers know from the environment."""
    async with fake_smsc() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> Village:
    village = Village(nc, nats_settings.site)
    await village.settle([(SmsPoint(number=NUMBER),)])
    return village


async def bound(smsc: FakeSmsc) -> None:
    async def is_bound() -> bool:
        return smsc.bound > 0

    await until(is_bound, "the worker to be bound")


async def test_killed_between_the_text_and_the_smscs_word_that_it_has_it(
    village: Village, nats_settings: Settings, nc: Client, smsc: FakeSmsc
) -> None:
    async def arrived() -> bool:
        return len(smsc.parts) == 1

    smsc.answering = False
    async with FanoutProcess(nc, nats_settings) as worker:
        await bound(smsc)
        case_id = await village.press()
        await until(arrived, "the first part of the text")
        await worker.kill()
    assert ("p-0", "sms") not in outcomes(await village.case(case_id))
    smsc.answering = True
    async with FanoutProcess(nc, nats_settings):
        case = await village.finished(case_id)
        assert outcomes(case)["p-0", "sms"] == ("sent", None, 2)
        (whole,) = smsc.texts(NUMBER)
        assert len([part for part in smsc.parts if part.octets[5] == 1]) == 2, "one more, and no more"
        assert await smsc.says(NUMBER, "1") == 0
        assert (await village.case(case_id)).replies[PersonId("p-0")].answer == "going"
    assert whole.startswith("求助")


@pytest.mark.parametrize("said", [("DELIVRD", "delivered", None), ("EXPIRED", "failed", "EXPIRED")])
async def test_killed_between_the_text_and_its_receipt(
    village: Village, nats_settings: Settings, nc: Client, smsc: FakeSmsc, said: tuple[str, str, str | None]
) -> None:
    state, *outcome = said
    async with FanoutProcess(nc, nats_settings) as worker:
        await bound(smsc)
        case_id = await village.press()
        await village.finished(case_id)
        await worker.kill()

    async def unbound() -> bool:
        return smsc.bound == 0

    await until(unbound, "the connection to be gone")
    async with FanoutProcess(nc, nats_settings):
        await bound(smsc)
        for part in list(smsc.parts):
            assert await smsc.receipt(part, state) == 0
        assert outcomes(await village.case(case_id))["p-0", "sms"] == (*outcome, 1)
        assert await smsc.says(NUMBER, "2") == 0
        assert (await village.case(case_id)).replies[PersonId("p-0")].answer == "cannot"
    assert len(smsc.texts(NUMBER)) == 1


async def test_one_of_two_workers_is_killed_in_the_middle(
    village: Village, nats_settings: Settings, nc: Client, smsc: FakeSmsc
) -> None:
    smsc.receipts, smsc.elsewhere = "delivered", True
    async with FanoutProcess(nc, nats_settings), FanoutProcess(nc, nats_settings) as other:

        async def both_bound() -> bool:
            return smsc.bound == 2

        await until(both_bound, "both workers to be bound")
        case_id = await village.press()
        await village.case_where(case_id, lambda c: bool(c.calls), "the plan")
        await other.kill()
        case = await village.case_where(
            case_id, lambda c: outcomes(c).get(("p-0", "sms"), ("",))[0] in {"sent", "delivered"}, "an outcome"
        )
    texts = [part for part in smsc.parts if part.octets[5] == 1]
    assert len(texts) <= 2
    assert outcomes(case)["p-0", "sms"][2] <= 2
