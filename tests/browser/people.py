"""People in front of their pages: each in a browser of their own, every complaint of which is kept."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Literal, Self

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, ViewportSize

from dispatch.identifiers import CaseId, HouseholdId
from tests.live import LiveSystem
from tests.waiting import until

PHONE: ViewportSize = {"width": 360, "height": 740}
SMALL_PHONE: ViewportSize = {"width": 360, "height": 640}
DESK: ViewportSize = {"width": 1440, "height": 900}

NEXT_DOOR = HouseholdId("h-0001")
"""A household of the same joint-defence group as the one that presses."""

WITHIN_MS = 10_000
RINGS = "main.ringing .alarm"
"""On the page of a called person: it rings."""
THANKED = "[data-stood-down]:has-text('已有足够人手，感谢您，不用前往')"
"""On the same: enough help is there."""
SIDEWAYS = "[document.documentElement.scrollWidth, document.body.scrollWidth].some((width) => width > innerWidth)"
CSP_WATCH = """addEventListener("securitypolicyviolation",
  (event) => console.error("CSP", event.blockedURI, event.violatedDirective))"""


class People:
    """Opens pages of one live system and collects what they complain of."""

    def __init__(self, chromium: Browser, live: LiveSystem) -> None:
        self._chromium, self.live = chromium, live
        self._contexts: list[BrowserContext] = []
        self._complaints: list[str] = []
        self._excused: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for context in self._contexts:
            await context.close()

    async def open(self, who: str, size: ViewportSize | None = None) -> Page:
        """The page of `who`, whose browser is signed in already, once its live stream is up."""
        page = await self.blank(size or (DESK if who == "operator" else PHONE))
        signed_in = await page.context.request.post("/v1/session", data={"token": self.live.tokens[who]})
        await page.goto((await signed_in.json())["page"])
        return await _ready(page)

    async def together(self, *everybody: str) -> list[Page]:
        """The pages of `everybody` as tabs of one browser, by their links, as somebody who tries the system does it."""
        first = await self.blank(DESK)
        return [
            await self._by_link(first if not number else self._kept(await first.context.new_page()), who)
            for number, who in enumerate(everybody)
        ]

    async def _by_link(self, page: Page, who: str) -> Page:
        await page.goto(self.live.link(who))
        await page.wait_for_url(re.compile(r"/(resident|responder|desk)/"), timeout=WITHIN_MS)
        return await _ready(page)

    async def blank(self, size: ViewportSize) -> Page:
        """An empty page in a browser of its own, whose complaints are kept."""
        context = await self._chromium.new_context(
            viewport=size, has_touch=size != DESK, permissions=["notifications"], base_url=self.live.url
        )
        self._contexts.append(context)
        await context.add_init_script(CSP_WATCH)
        return self._kept(await context.new_page())

    def excuse(self, pattern: str) -> None:
        """What this test brings about on purpose: complaints that match are no failure."""
        self._excused.append(pattern)

    def complaints(self) -> list[str]:
        return [said for said in self._complaints if not any(re.search(pattern, said) for pattern in self._excused)]

    def _kept(self, page: Page) -> Page:
        page.on("console", self._console)
        page.on("pageerror", self._thrown)
        page.on("popup", self._opened)
        return page

    def _opened(self, page: Page) -> None:
        self._kept(page)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._complaints.append(f"{message.page.url if message.page else ''}: {message.text}")

    def _thrown(self, error: Error) -> None:
        self._complaints.append(f"thrown: {error}")


async def _ready(page: Page) -> Page:
    await page.locator(".ready:not(.off), .good-line, .line.live").wait_for(timeout=WITHIN_MS)
    return page


async def hold(page: Page, selector: str, milliseconds: float = 1300) -> None:
    """Press a key with the mouse and let go after so long."""
    await page.locator(selector).hover()  # once it has come to rest: news of a case moves what stands below it
    await page.mouse.down()
    await page.wait_for_timeout(milliseconds)
    await page.mouse.up()


async def closes(page: Page, selector: str) -> None:
    """Click what closes its own page. Whether the click is heard of before that has happened is chance."""
    async with page.expect_event("close"):
        try:
            await page.locator(selector).click()
        except Error as error:
            if "has been closed" not in error.message:
                raise


async def sees(
    page: Page, selector: str, *, within_ms: float = WITHIN_MS, state: Literal["visible", "hidden"] = "visible"
) -> None:
    """Wait until `selector` is there (or not). Fails after `within_ms`."""
    await page.locator(selector).first.wait_for(state=state, timeout=within_ms)


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
