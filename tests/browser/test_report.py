"""The monthly report: from the desk, by area, on a desk and a phone, and on paper."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatch.projections import ReadModels
from tests.browser.people import DESK, PHONE, SIDEWAYS, SMALL_PHONE, People, closes, sees
from tests.browser.test_layout import fits
from tests.live import LiveSystem
from tests.past_cases import Called, tell_past
from tests.waiting import until

pytestmark = pytest.mark.browser

MONTH = "2026-10"
FAR = ("youqing", "xinqiao", "mouding")
CALLED: tuple[Called, ...] = (
    ("p-0001", "group_leader", "g-01"),
    ("p-0003", "member", "g-01"),
    ("a-0069", "auxiliary_officer", "maozhou"),
    ("c-0077", "community_police_officer", "gonghe"),
    ("p-0005", "asked", "operator:wang"),
)
CASES = 60
BESIDE = """() => [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth)
  .map((one) => one.previousElementSibling?.textContent ?? one.textContent)"""

TOPS = "[...document.querySelectorAll('.bucket .share')].map((one) => Math.round(one.getBoundingClientRect().top))"


@pytest.fixture(scope="module")
async def past(live_system: LiveSystem) -> LiveSystem:
    """A system with a few months of cases."""
    chance = random.Random(1)
    for number in range(CASES):
        at = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(seconds=number * 42_000 + chance.uniform(0, 20_000))
        areas = (chance.choice(["maozhou", "sanhua", "yuxin"]), "gonghe", "mouding")
        await tell_past(live_system.log, number, at=at, areas=areas, called=CALLED, chance=chance)
    for number in range(CASES, 2 * CASES):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=(number - CASES) * 4)
        await tell_past(live_system.log, number, at=at, areas=FAR, called=CALLED, chance=chance)
    models = ReadModels(live_system.system.settings.require_postgres(), live_system.system.settings.site)
    end = await live_system.log.last_sequence()
    try:
        await until(lambda: models.wait_for(end, 0), "the read models to know the past")
    finally:
        await models.close()
    return live_system


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_the_month_from_the_desk_to_a_village(people: People, past: LiveSystem, size: object) -> None:
    operator = await people.open("operator", size)  # type: ignore[arg-type]
    async with operator.expect_popup() as opened:
        await operator.locator("[data-report-link]").click()
    report = await opened.value
    await sees(report, "article[data-area=mouding]")
    await report.locator("input[name=month]").fill(MONTH)
    await sees(report, f"article[data-month='{MONTH}'] h1:has-text('牟定县 2026年10月 联防处置月报')")
    _, month = await past.call("operator", "GET", f"/v1/reports/month?month={MONTH}")
    share = month["total"]["steps"]["on_scene"]["share"]  # type: ignore[index]
    assert len(set(await report.evaluate(TOPS))) == (1 if size == DESK else 2), "the shares of a row stand side by side"
    await sees(report, f"[data-bucket=on_scene] .share:has-text('{share * 100:.1f}%')")
    assert not await report.evaluate(SIDEWAYS)
    await report.locator("tr[data-row=gonghe] a").click()
    await sees(report, "article[data-area=gonghe] tr[data-row=maozhou]")
    await report.locator("tr[data-row=maozhou] a").click()
    await sees(report, "article[data-area=maozhou]")
    await sees(report, "tr[data-row=a-0069]:has-text('普桂芳')")
    assert await report.locator("tr[data-row=p-0005]").count() == 0, "whoever is called by name is no officer"
    await report.go_back()
    await sees(report, "article[data-area=gonghe]")
    async with report.expect_download() as download:
        await report.locator("a[download]:has-text('XLSX')").click()
    assert (await download.value).suggested_filename == f"month-{MONTH}-gonghe.xlsx"
    await closes(report, ".controls a[href^='/desk/']")
    await sees(operator, ".line.live")


@pytest.mark.usefixtures("past")
async def test_the_report_fits_a_small_phone(people: People) -> None:
    page = await people.open("operator", SMALL_PHONE)
    await page.goto(f"{page.url}/report?month={MONTH}")
    await sees(page, "article[data-area=mouding] svg.week")
    await fits(page)
    assert await page.evaluate(BESIDE) == [], "nothing hides at the side of a table or a chart"
    cell = page.locator("tr[data-row=gonghe] td").nth(1)
    assert "警情 Cases" in await cell.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    await page.goto(f"{page.url.partition('?')[0]}?month=2024-01")
    await sees(page, "article[data-month='2024-01'] tr.none:has-text('没有 None')")
    assert await page.locator("tbody:empty").count() == 0


@pytest.mark.usefixtures("past")
async def test_the_report_prints_on_a4_without_its_buttons(people: People, tmp_path: Path) -> None:
    page = await people.open("operator", DESK)
    await page.goto(f"{page.url}/report?month={MONTH}&area=gonghe")
    await sees(page, "article[data-area=gonghe] svg.week")
    await page.emulate_media(media="print")
    assert not await page.locator(".controls").is_visible()
    printed = await page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([\d.]+) ([\d.]+) ?\]", printed)
    assert 1 <= len(boxes) <= 4, "a village's month is a few pages"
    assert {(round(float(w)), round(float(h))) for w, h in boxes} == {(595, 842)}, "A4, in points"


async def test_a_stranger_has_no_report(people: People) -> None:
    page = await people.blank(DESK)
    await page.goto("/desk/somebody/report")
    assert "/?next=" in page.url
