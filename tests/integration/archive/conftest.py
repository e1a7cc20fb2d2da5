"""A village, and another nats-server for what is restored."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from dispatch.embedded import EmbeddedNats
from tests.archives import SITE, connected
from tests.servers import open_folder
from tests.village import Village, village_of


@pytest.fixture
async def nc(fresh_nats: EmbeddedNats) -> AsyncIterator[Client]:
    async with connected(fresh_nats) as client:
        yield client


@pytest.fixture
async def elsewhere() -> AsyncIterator[Client]:
    """Another nats-server, with nothing on it."""
    with open_folder() as folder:
        async with EmbeddedNats(folder) as server, connected(server) as client:
            yield client


@pytest.fixture
async def village(nc: Client) -> AsyncIterator[Village]:
    async with village_of(nc, SITE, 3) as made:
        yield made
