"""What a called person sees when more than one household needs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

import pytest

from dispatch.identifiers import CaseId, HouseholdId
from tests.browser.people import People, sees
from tests.live import LiveSystem
from tests.system import until

pytestmark = pytest.mark.browser

NEXT_DOOR = HouseholdId("h-0001")
"""A household of the same joint-defence group as the one that presses."""


@asynccontextmanager
async def raised_next_door(live: LiveSystem, **body: object) -> AsyncIterator[CaseId]:
    """A case of the household next door, raised by the operator and closed afterwards."""
    alarm = {"household": NEXT_DOOR, **body}
    status, _ = await live.call("operator", "POST", "/v1/alarms", alarm, key=token_hex(8))
    assert status == 202

    async def found() -> CaseId | None:
        head = await live.log.head(NEXT_DOOR)
        return head.case if head and (await live.case(head.case)).is_open else None

    case = await until(found, "the case next door")
    try:
        yield case
    finally:
        await live.close(case)


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
