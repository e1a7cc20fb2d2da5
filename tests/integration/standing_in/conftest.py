"""Four people with a phone each, and a watchdog that looks often and waits for little."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from dispatch.settings import Settings
from tests.standing_in import hasten
from tests.village import Village, village_of


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)
