"""Two people who are reached by text messages, over an SMSC of ours that does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from dispatch.roster import SmsPoint
from dispatch.settings import Settings
from tests.smsc.account import with_smsc
from tests.smsc.fake import FakeSmsc, fake_smsc
from tests.texting import ANNA, BO
from tests.village import Village


@pytest.fixture
async def smsc() -> AsyncIterator[FakeSmsc]:
    async with fake_smsc() as running:
        yield running


@pytest.fixture
def sms_settings(nats_settings: Settings, smsc: FakeSmsc) -> Settings:
    return with_smsc(nats_settings, smsc.port, "secret").model_copy(update={"sms_rate": 500})


@pytest.fixture
async def village(nc: Client, sms_settings: Settings) -> Village:
    village = Village(nc, sms_settings.site)
    await village.settle([(SmsPoint(number=ANNA),), (SmsPoint(number=BO),)])
    return village
