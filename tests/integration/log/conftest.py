"""A nats-server of our own, which a test may kill, and a log with a site of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from nats.aio.client import Client

from dispatch.embedded import EmbeddedNats
from dispatch.events import (
    CaseLog,
    connect,
    ensure_streams,
)


@pytest.fixture
async def nc(own_nats: EmbeddedNats) -> AsyncIterator[Client]:
    client = await connect(own_nats.url, "test")
    await ensure_streams(client.jetstream())
    yield client
    with suppress(ConnectionError):  # a test may have just killed the server
        await client.close()


@pytest.fixture
def log(nc: Client) -> CaseLog:
    """A log with a site of its own, so that tests do not see one another."""
    return CaseLog(nc, f"t{uuid.uuid4().hex[:8]}")
