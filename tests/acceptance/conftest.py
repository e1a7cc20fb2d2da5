"""One running system for the stories of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import on_server, with_database
from tests.live import LiveSystem, Phones, live, on_servers, phones_of
from tests.servers import Servers, open_folder


@pytest.fixture(scope="module")
async def live_system(servers: Servers, migrated_template: str) -> AsyncIterator[LiveSystem]:
    """A system on the session's servers, with a site and a database of its own."""
    name = f"live_{migrated_template}"
    await on_server(servers, f"create database {name} template {migrated_template}")
    with open_folder() as folder:
        async with live(folder, on_servers(servers, with_database(servers.postgres_dsn, name))) as running:
            yield running
    await on_server(servers, f"drop database {name} with (force)")


@pytest.fixture
async def phones(live_system: LiveSystem) -> AsyncIterator[Phones]:
    async with phones_of(live_system) as given:
        yield given
