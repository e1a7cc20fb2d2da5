"""A page that lost its line says so, and catches up by itself."""

from __future__ import annotations

import pytest

from tests.browser.people import People, sees
from tests.live import LiveSystem

pytestmark = pytest.mark.browser

LOST = "[data-line=lost]"


async def test_the_desk_says_that_its_line_is_lost_and_catches_up(people: People, quiet_village: LiveSystem) -> None:
    people.excuse("ERR_INTERNET_DISCONNECTED|Failed to load resource")
    ended = await quiet_village.press(kind="help")
    desk = await people.open("operator")
    await sees(desk, f".list-pane [data-case='{ended}']")

    await desk.context.set_offline(True)
    await sees(desk, LOST, within_ms=20_000)
    await quiet_village.close(ended)
    missed = await quiet_village.press(kind="fire")
    await desk.context.set_offline(False)

    await sees(desk, f".list-pane [data-case='{missed}']", within_ms=20_000)
    await sees(desk, LOST, state="hidden")
    await sees(desk, f".list-pane [data-case='{ended}']", state="hidden")
    await sees(desk, f".side-pane [data-case='{ended}']")


async def test_pages_outlive_a_crash_of_the_web_process(people: People, quiet_village: LiveSystem) -> None:
    people.excuse("ERR_|Failed to load resource")
    resident, neighbour = await people.open("resident"), await people.open("neighbour")
    before = await quiet_village.system.kill("serve")
    await sees(resident, LOST)
    await sees(neighbour, LOST)
    await quiet_village.system.restarted("serve", before)
    await sees(neighbour, LOST, state="hidden", within_ms=20_000)
    await sees(resident, LOST, state="hidden", within_ms=20_000)
    case = await quiet_village.press(kind="help")
    await sees(neighbour, "main.ringing .alarm")
    await sees(resident, f"[data-case='{case}']")
