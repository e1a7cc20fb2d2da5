"""One running system for the stories of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import database
from tests.live import LiveSystem, Phones, live, on_servers, phones_of
from tests.servers import Servers, open_folder


@pytest.fixture(scope="module")
async def live_system(servers: Servers, migrated_template: str) -> AsyncIterator[LiveSystem]:
    """A system on the session's servers, with a site and a database of its own."""
    async with database(servers, migrated_template) as dsn:
        with open_folder() as folder:
            async with live(folder, on_servers(servers, dsn)) as running:
                yield running


@pytest.fixture
async def phones(live_system: LiveSystem) -> AsyncIterator[Phones]:
    async with phones_of(live_system) as given:
        yield given
