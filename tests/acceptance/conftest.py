"""One running system for the stories of a module, a phone for everybody in its roster, and a clock that they move."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import database
from tests.live import LiveSystem, live, on_servers
from tests.servers import Servers, open_folder
from tests.stories import County, Phones, county_of
from tests.the_clock import TheClock


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """What the stories of a module set besides."""
    return {}


@pytest.fixture(scope="module")
async def live_system(
    servers: Servers, migrated_template: str, environment: dict[str, str]
) -> AsyncIterator[LiveSystem]:
    """A system on the session's servers, with a site and a database of its own."""
    async with database(servers, migrated_template) as dsn:
        with open_folder() as folder:
            async with live(folder, on_servers(servers, dsn) | environment, movable=True) as running:
                yield running


@pytest.fixture(scope="module")
async def county(live_system: LiveSystem) -> AsyncIterator[County]:
    async with county_of(live_system) as everybody:
        yield everybody


@pytest.fixture
async def the_clock(live_system: LiveSystem) -> AsyncIterator[TheClock]:
    """It stands nearly still while the story goes on, but for what the story moves it."""
    async with live_system.clock.held() as clock:
        yield clock


@pytest.fixture
async def phones(county: County, the_clock: TheClock) -> AsyncIterator[Phones]:  # noqa: ARG001 - held before they ring
    """Everybody's phones; in the end none may have rung that the story did not expect to."""
    async with county.story() as given:
        yield given
