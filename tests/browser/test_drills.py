"""An operator begins a drill at the desk, sees who would be rung before they are, and reads the report."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Route

from tests.browser.people import DESK, PHONE, SIDEWAYS, People, sees
from tests.live import LiveSystem

pytestmark = pytest.mark.browser


# Times in a report that are broken over lines, and calls in it that take more height than their text.
TORN = """() => [...document.querySelectorAll(".lines .seconds, .lines .outcome:not(:has(small))")]
  .filter((one) => one.offsetHeight > 30).map((one) => one.textContent)"""


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_a_drill_from_the_button_to_the_report(people: People, quiet_village: LiveSystem, size: object) -> None:
    desk = await people.open("operator", size)  # type: ignore[arg-type]
    neighbour = await people.open("neighbour")
    await desk.locator("[data-new-drill]").click()
    await sees(desk, "[data-group=g-01]:has-text('0%'), [data-group=g-01]:has-text('%')")
    assert await desk.locator("dialog [data-confirm]").is_disabled(), "nobody is chosen yet"
    await desk.locator("[data-group=g-01] input").check()
    await desk.locator("dialog [data-confirm]").click()
    await sees(desk, "[data-plan]:has-text('1组 13人')")
    assert await neighbour.locator("main > .banner.drill").count() == 0, "nobody is rung by a look"
    assert not await desk.evaluate(SIDEWAYS)

    await desk.locator("dialog [data-confirm]").click()
    await sees(desk, "dialog", state="hidden")  # the report covers no list by itself
    await desk.locator("[data-drill]:has-text('进行中')").click()
    await sees(desk, "[data-report] .banner:has-text('呼叫13人')")
    await sees(desk, "[data-report] .outcome.failed:has-text('页面未打开')")
    await sees(desk, ".list-pane .row[data-case]:has-text('演练')")
    assert await desk.locator(".counts .some").count() == 0, "a drill counts nowhere"
    await sees(neighbour, ".banner.drill")
    await neighbour.locator("[data-answer=going]").click()
    who = quiet_village.subject("neighbour")
    await sees(desk, f"[data-responder={who}][data-reached=true]:has-text('前往')")
    assert not await desk.evaluate(SIDEWAYS)
    assert await desk.evaluate(TORN) == []
    async with desk.expect_download() as download:
        await desk.locator("[data-report] a[download]").click()
    assert re.fullmatch(r"drill-d-[a-z2-7]{8}\.csv", (await download.value).suggested_filename)
    await desk.locator("[data-end]").click()
    await sees(desk, "[data-report] [data-open='0']")
    await desk.locator("[data-report] [data-close]").click()
    await sees(desk, "[data-drill]:has-text('已结束')")


async def test_an_answer_that_breaks_off_is_none_and_the_desk_stands(people: People) -> None:
    async def broken_off(route: Route) -> None:
        await route.fulfill(status=200, content_type="application/json", body='{"drills": [')

    desk = await people.open("operator")
    await desk.route("**/v1/drills", broken_off)
    async with desk.expect_response("**/v1/drills"):
        await desk.reload()
    await sees(desk, ".line.live, .good-line")
    await desk.locator("main").click()
    await sees(desk, "[data-drills='0']")
