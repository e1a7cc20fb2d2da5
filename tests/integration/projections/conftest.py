"""A site whose read models a test watches."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dispatch.settings import Settings
from tests.projection_desk import Desk, opened


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    desk = await opened(settings.require_nats(), settings.require_postgres(), settings.site)
    yield desk
    await desk.models.close()
    await desk.nc.close()
