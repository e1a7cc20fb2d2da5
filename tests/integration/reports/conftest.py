"""A site whose log can be told cases, and its reports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dispatch.settings import Settings
from tests.integration.reports.office import Office, opened


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with opened(settings.require_nats(), settings.require_postgres(), settings.site) as office:
        yield office
