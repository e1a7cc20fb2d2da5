"""What stories of escalation do: somebody answers, and an operator steers."""

from __future__ import annotations

from playwright.async_api import Page

from dispatch.identifiers import CaseId
from tests.browser.people import People, sees
from tests.live import LiveSystem


async def answer(live: LiveSystem, case: CaseId, who: str, what: str) -> None:
    link = await live.one_tap(case, live.subject(who))
    async with live.system.http.post(link, json={"answer": what}) as answered:
        assert answered.status in {200, 201}


async def at_the_desk(people: People, case: CaseId) -> Page:
    desk = await people.open("operator")
    await desk.locator(f".list-pane [data-case='{case}']").click()
    await sees(desk, f".case-pane [data-case='{case}']")
    return desk


async def chosen(desk: Page, asked: str, person: str) -> None:
    """Call `person`, who is found by `asked`."""
    await desk.locator("[data-deed=calls]").click()
    await desk.locator("#responder-search").fill(asked)
    await desk.locator(f".found [value='{person}']").check()
    await desk.locator("dialog [data-confirm]").click()


async def confirmed(desk: Page, deed: str) -> None:
    await desk.locator(f"[data-deed='{deed}']").click()
    await desk.locator("dialog [data-confirm]").click()
    await sees(desk, "dialog", state="hidden")
