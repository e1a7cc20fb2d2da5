"""A village whose live board has read models that are away, or know what a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.web.live_world import Models
from tests.integration.web_world import World, settings_of, world
from tests.servers import Servers


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
async def village(servers: Servers, models: Models) -> AsyncIterator[World]:
    async with world(settings_of(servers), models) as made:
        yield made
