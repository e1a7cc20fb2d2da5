"""One running system for all stories, a phone for everybody in its roster, and a clock that they move."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import database
from tests.live import LiveSystem, live, on_servers
from tests.messengers import Messenger, messenger
from tests.servers import Servers, open_folder
from tests.several_channels import Two, two_of
from tests.smsc.fake import FakeSmsc, fake_smsc
from tests.stories import County, Phones, county_of
from tests.the_clock import TheClock


@pytest.fixture(scope="session")
async def smsc() -> AsyncIterator[FakeSmsc]:
    async with fake_smsc() as running:
        yield running


@pytest.fixture(scope="session")
async def duty() -> AsyncIterator[Messenger]:
    """Where whoever runs the system is told of trouble."""
    async with messenger() as server:
        yield server


@pytest.fixture(scope="session")
async def live_system(
    servers: Servers, migrated_template: str, smsc: FakeSmsc, duty: Messenger
) -> AsyncIterator[LiveSystem]:
    """A system on the session's servers, with a site and a database of its own and an account at the SMSC."""
    besides = {**smsc.environment, "DISPATCH_WATCH_URLS": f"ntfy://{duty.host}/duty"}
    async with database(servers, migrated_template) as dsn:
        with open_folder() as folder:
            async with live(folder, on_servers(servers, dsn) | besides, movable=True) as running:
                yield running


@pytest.fixture(scope="session")
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


@pytest.fixture
async def real_phones(county: County, live_system: LiveSystem) -> AsyncIterator[Phones]:
    """Everybody's phones, by the real time, for a story of which the clock is no matter."""
    async with county.story() as given:
        yield given
    async with live_system.clock.held():
        pass  # afterwards as much time has passed as after every other story


@pytest.fixture
async def two(live_system: LiveSystem, county: County, phones: Phones) -> AsyncIterator[Two]:
    """Two who are called over several channels, and everybody else's phone."""
    async with two_of(live_system, county, phones) as given:
        yield given
