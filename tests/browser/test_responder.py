"""What a called person sees when more than one household needs them."""

from __future__ import annotations

import pytest

from tests.browser.people import People, raised_next_door, sees
from tests.live import LiveSystem

pytestmark = pytest.mark.browser


async def test_a_drill_stands_behind_an_alarm_in_earnest(people: People, quiet_village: LiveSystem) -> None:
    page = await people.open("neighbour")
    await quiet_village.press(kind="fire")
    async with raised_next_door(quiet_village, kind="medical", drill=True):
        await sees(page, ".cases .button:nth-child(2):has-text('演练')")
        await sees(page, ".cases .button:nth-child(1)[aria-pressed=true]:has-text('火警')")
        await sees(page, ".alarm-kind:has-text('火警')")

        await page.locator("[data-answer=going]").click()  # a drill does not push itself before it then either
        await sees(page, "[data-stage=recorded]")
        await sees(page, ".cases .button:nth-child(1)[aria-pressed=true]:has-text('火警')")
        assert await page.locator("main > .banner.drill").count() == 0
