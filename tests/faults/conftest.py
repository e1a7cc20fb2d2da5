"""A system on servers that a test may kill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from dispatch.embedded import EmbeddedNats, EmbeddedPostgres
from tests.live import LiveSystem, Phones, live, on_servers, phones_of
from tests.servers import Servers, open_folder


@dataclass
class Fragile:
    """A running system and the servers under it, which are this test's own."""

    live: LiveSystem
    nats: EmbeddedNats
    postgres: EmbeddedPostgres


@pytest.fixture(scope="module")
async def fragile() -> AsyncIterator[Fragile]:
    """`dispatch up` on servers that are told apart from it, so that each can be ended by itself."""
    with open_folder() as folder:
        async with EmbeddedNats(folder / "nats") as nats, EmbeddedPostgres(folder / "postgres") as postgres:
            servers = Servers(nats.url, postgres.dsn, nats.mqtt_port, nats.auth_callout_seed)
            async with live(folder / "up", on_servers(servers, postgres.dsn)) as running:
                yield Fragile(running, nats, postgres)


@pytest.fixture
async def phones(fragile: Fragile) -> AsyncIterator[Phones]:
    async with phones_of(fragile.live) as given:
        yield given
