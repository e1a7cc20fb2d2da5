"""A real Chromium, and one running system for all browser tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

from dispatch.identifiers import CaseId
from tests.browser.people import People
from tests.browser.pins import DURESS, PIN
from tests.conftest import database
from tests.live import LiveSystem, live, on_servers
from tests.servers import Servers, open_folder

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
async def live_system(servers: Servers, migrated_template: str) -> AsyncIterator[LiveSystem]:
    """A system on the session's servers, with a site and a database of its own."""
    async with database(servers, migrated_template) as dsn:
        with open_folder() as folder:
            async with live(folder, on_servers(servers, dsn)) as running:
                yield running


WHOLE = ("chromium", "chromium-browser")
LEAN = ("chromium-headless-shell", *WHOLE)
"""Names of programs. The same engine without windows and extensions opens a page at a quarter of the cost."""


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A Chromium for pages that are looked at."""
    async with launched(*LEAN) as browser:
        yield browser


@asynccontextmanager
async def launched(*names: str) -> AsyncIterator[Browser]:
    """The Chromium that DISPATCH_TEST_CHROMIUM names, or the first of `names` here, or else Playwright's own."""
    found = (shutil.which(name) for name in names)
    program = os.environ.get("DISPATCH_TEST_CHROMIUM") or next(filter(None, found), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture
async def people(chromium: Browser, live_system: LiveSystem) -> AsyncIterator[People]:
    """Opens pages. Afterwards no page may have complained of anything that its test did not name."""
    async with People(chromium, live_system) as opened:
        yield opened
    assert opened.complaints() == []


@pytest.fixture
async def case(live_system: LiveSystem) -> AsyncIterator[CaseId]:
    """A case that was raised before any page was opened."""
    raised = await live_system.press(kind="medical")
    yield raised
    await live_system.close(raised)


@pytest.fixture
async def quiet_village(live_system: LiveSystem) -> AsyncIterator[LiveSystem]:
    """The system with no open case, before and after the test."""
    yield live_system
    head = await live_system.log.head(live_system.household)
    if head and (await live_system.case(head.case)).is_open:
        await live_system.close(head.case)


@pytest.fixture
async def with_pins(quiet_village: LiveSystem) -> AsyncIterator[LiveSystem]:
    path = f"/v1/households/{quiet_village.household}/pin"
    assert (await quiet_village.call("operator", "POST", path, {"pin": PIN, "duress_pin": DURESS}))[0] == 200
    yield quiet_village
    await quiet_village.call("operator", "POST", path, {"pin": None, "duress_pin": None})
