"""What a called person sees: also when the call came before their page did, or more than one household needs them."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, Request

from dispatch.identifiers import CaseId, PersonId, notification_id
from tests.browser.people import People, raised_next_door, sees
from tests.live import LiveSystem
from tests.system import until

pytestmark = pytest.mark.browser

RINGS = "main.ringing .alarm"


async def outcome_of(live: LiveSystem, case: CaseId, who: str) -> str:
    """What is recorded of the call to the page of `who`."""
    return (await live.case(case)).calls[0, PersonId(live.subject(who))].outcomes["live"].outcome


async def test_a_page_that_opens_after_the_call_says_once_that_it_has_arrived(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="help")
    await quiet_village.finished(case)
    assert await outcome_of(quiet_village, case, "neighbour") == "failed"

    page = await people.open("neighbour")
    await sees(page, RINGS)

    async def delivered() -> bool:
        return await outcome_of(quiet_village, case, "neighbour") == "delivered"

    await until(delivered, "the receipt of the page that came late")
    receipts: list[str] = []

    def count(request: Request) -> None:
        if request.url.endswith("/receipt"):
            receipts.append(request.url)

    page.on("request", count)
    await page.reload()
    await sees(page, RINGS)
    assert receipts == [], "what is recorded is not sent again"


async def ring_again(live: LiveSystem, case: CaseId, who: str, page: Page) -> None:
    """Ring the open page of `who` for `case`, as a later call does."""
    person = PersonId(live.subject(who))
    ring = {"notification": notification_id(case, person), "case": case}
    subject = f"live.{live.log.site}.ring.{person}"
    answer = await live.system.nc.request(subject, json.dumps(ring).encode(), timeout=5)
    assert json.loads(answer.data) == {"outcome": "delivered"}
    await sees(page, RINGS)


async def test_a_new_ring_sounds_again_while_there_is_no_answer(people: People, quiet_village: LiveSystem) -> None:
    people.excuse("403|Failed to load resource")
    page = await people.open("neighbour")
    case = await quiet_village.press(kind="help")
    await sees(page, RINGS)
    await page.route("**/replies", lambda route: route.fulfill(status=403, json={"detail": "no"}))
    await page.locator("[data-answer=going]").click()
    await sees(page, "[data-stage=failed]")
    await sees(page, RINGS, state="hidden")

    await ring_again(quiet_village, case, "neighbour", page)
    await page.locator(".slot .button:has-text('停止响铃')").click()
    await sees(page, RINGS, state="hidden")
    await sees(page, "[data-stage=failed]")  # that is still so

    await page.unroute("**/replies")
    await page.route("**/replies", lambda route: route.fulfill(status=503, json={}))
    people.excuse("503")
    await page.locator("[data-answer=cannot]").click()
    await sees(page, "[data-stage=retrying]")
    await ring_again(quiet_village, case, "neighbour", page)
    await page.unroute("**/replies")
    await sees(page, RINGS, state="hidden")
    await sees(page, "[data-stage=recorded]")


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
