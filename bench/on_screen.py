"""Press to visible on the operator's screen: a real browser with the desk open, and when it has painted a new case."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright
from rich.progress import track

from bench.figures import Listing, Measured
from bench.scene import RESPONDERS, Scene, console, write_roster
from dispatch.cases import CaseDesk, Resolve
from dispatch.clock import now
from dispatch.events import CaseLog
from dispatch.identifiers import AreaId, CaseId, CommitId, HouseholdId, PressId, case_id_for

WARM_UP = 5
GOAL_MS = 250.0
"""The most that the p95 may be (DESIGN.md)."""
VILLAGE = AreaId("v-screen")
SEEN_SECONDS = 10
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WATCHED = """
window.painted = {};
new MutationObserver(() => {
  for (const row of document.querySelectorAll(".list-pane [data-case]")) {
    const name = row.dataset.case;
    if (name in painted) continue;
    painted[name] = null;
    requestAnimationFrame(() => setTimeout(() => {
      const place = row.getBoundingClientRect();
      if (place.height && place.top >= 0 && place.bottom <= innerHeight) painted[name] = Date.now();
      else delete painted[name];
    }));
  }
}).observe(document, { childList: true, subtree: true });
"""
"""Notes by the wall clock, which page and presser share, when a row stood on the screen, the frame with it done."""


async def compare(scene: Scene, alarms: int) -> Listing:
    """One alarm for each of `alarms` households, one after the other. Fails when one is not seen within ten seconds."""
    console.print(f"[dim]on screen: writing a roster of {alarms + WARM_UP} households …")
    households = await write_roster(scene.system, scene.providers[:1], alarms + WARM_UP, village=VILLAGE, prefix="o")
    tokens = [await scene.system.token("device", household) for household in households]
    link = await scene.system.link("operator", "bench", VILLAGE)
    took: list[float] = []
    cases = CaseDesk(CaseLog(scene.system.nc, scene.system.settings.site))
    async with _desk(link) as desk:
        for household, token in track(list(zip(households, tokens, strict=True)), "alarms", console=console):
            case, at = await _press(scene, household, token)
            seen = await desk.wait_for_function("(name) => painted[name]", arg=case, timeout=SEEN_SECONDS * 1e3)
            took.append(await seen.json_value() - at)
            resolve = Resolve(id=CommitId("seen"), at=now(), by="operator:bench", resolution="helped")
            await cases.handle(case, resolve)
    return Listing(
        title=f"press to visible on the operator's screen, one alarm after the other, {RESPONDERS} calls each",
        measured=[(Measured("POST /v1/alarms to painted on the open desk", took[WARM_UP:]), GOAL_MS)],
        facts={"alarms": alarms},
        legend="In a real Chromium, the whole way: press, log, fan-out, live stream, page.",
    )


@asynccontextmanager
async def _desk(link: str) -> AsyncIterator[Page]:
    program = os.environ.get("DISPATCH_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=list(QUIET))
        page = await chromium.new_page(viewport={"width": 1440, "height": 900})
        await page.add_init_script(WATCHED)
        await page.goto(link)
        await page.locator(".line.live").wait_for()
        yield page
        await chromium.close()


async def _press(scene: Scene, household: HouseholdId, token: str) -> tuple[CaseId, float]:
    """The case, and the milliseconds by the wall clock at which the alarm was sent."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": uuid.uuid4().hex}
    at = time.time() * 1e3
    async with scene.system.http.post("/v1/alarms", json={}, headers=headers) as answer:
        assert answer.status == 202, await answer.text()
        return case_id_for(household, PressId((await answer.json())["press"])), at
