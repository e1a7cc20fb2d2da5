"""Every page on a small phone: nothing runs off sideways, every key can be hit, every word can be read."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from dispatch.identifiers import CaseId
from tests.browser.people import SIDEWAYS, SMALL_PHONE, People, hold, sees
from tests.live import LiveSystem

pytestmark = pytest.mark.browser

SMALLEST_PX = 44

TOO_SMALL = """(least) => [...document.querySelectorAll("button, a.button, select, input")]
  .map((one) => [one.textContent.trim() || one.name, one.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.height < least || box.width < least) && box.height > 30)
  .map(([text, box]) => `${text}: ${Math.round(box.width)} x ${Math.round(box.height)}`)"""

# Households that were found and stand in each other's way.
OVERLAPPING = """() => [...document.querySelectorAll(".found .check")].map((one) => [one, one.lastElementChild])
  .filter(([row, text]) => text.offsetHeight > row.offsetHeight).map(([row]) => row.textContent)"""

# A select box that is narrower than the choice in it.
CUT = """() => [...document.querySelectorAll("select")].filter((one) => one.offsetWidth).filter((one) => {
    const copy = one.parentElement.appendChild(one.cloneNode());
    copy.append(new Option(one.selectedOptions[0].label));
    copy.style.cssText = "position: absolute; width: max-content; max-width: none; min-width: 0";
    const needed = copy.offsetWidth;
    copy.remove();
    return needed > one.offsetWidth;
  }).map((one) => one.selectedOptions[0].label)"""

AGES = ("9:58", "12:57", "23:04:09")

# Text that nobody reads without glasses.
TINY = """() => [...document.querySelectorAll("#page *, dialog *")]
  .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
  .filter((one) => one.getClientRects().length && parseFloat(getComputedStyle(one).fontSize) < 10.9)
  .map((one) => `${one.textContent}: ${getComputedStyle(one).fontSize}`)"""

# WCAG 2.2, 1.4.3: contrast of every text with the colour behind it, where that is a plain colour.
PALE = """() => {
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const channel = (value) => linear(value / 255);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (colour) => { const n = colour.match(/[\\d.]+/g).map(Number); return [n.slice(0, 3), n[3] ?? 1]; };
  const over = (top, alpha, below) => top.map((value, i) => value * alpha + below[i] * (1 - alpha));
  const behind = (element) => {
    if (!element) return [15, 20, 24];
    const [colour, alpha] = parse(getComputedStyle(element).backgroundColor);
    return alpha === 1 ? colour : over(colour, alpha, behind(element.parentElement));
  };
  const own = (element) => Number(getComputedStyle(element).opacity);
  const opacity = (element) => (element ? own(element) * opacity(element.parentElement) : 1);
  const bad = [];
  for (const element of document.querySelectorAll("#page *, dialog *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!text || !element.getClientRects().length || element.closest(":disabled, .visually-hidden")) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const [colour, alpha] = parse(style.color);
    const [a, b] = [light(over(colour, alpha * opacity(element), ground)), light(ground)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < needed) bad.push(`${text}: ${ratio.toFixed(2)} of ${needed}`);
  }
  return bad;
}"""


# An age on the desk that takes more than a line, or more than its place, when it is `text`.
TORN = """(text) => [...document.querySelectorAll(".waiting")].filter((one) => {
    const { textContent } = one;
    const height = (one.textContent = "0:07", one.offsetHeight);
    one.textContent = text;
    const place = one.parentElement;
    const torn = one.offsetHeight > height || one.offsetWidth > place.clientWidth;
    one.textContent = textContent;
    return torn;
  }).length"""


# Whether the parts that are found stand side by side.
IN_A_ROW = """(parts) => {
  const boxes = [...document.querySelectorAll(parts)].map((one) => one.getBoundingClientRect());
  return boxes.length > 1 && Math.max(...boxes.map((box) => box.top)) < Math.min(...boxes.map((box) => box.bottom));
}"""


async def fits(page: Page) -> None:
    assert await page.evaluate(CUT) == []
    assert await page.evaluate(TINY) == []
    assert not await page.evaluate(SIDEWAYS), f"{page.url} is wider than the phone"
    assert await page.evaluate(TOO_SMALL, SMALLEST_PX) == []
    assert await page.evaluate(PALE) == []


async def test_sign_in_fits_a_small_phone(people: People) -> None:
    people.excuse("401")
    page = await people.blank(SMALL_PHONE)
    await page.goto("/in#not-a-token")
    await sees(page, "[role=alert]")
    assert "not-a-token" not in page.url, "the code does not stay in the address bar"
    await fits(page)


async def test_the_residents_page_fits_a_small_phone(people: People, quiet_village: LiveSystem) -> None:
    page = await people.open("resident", SMALL_PHONE)
    await fits(page)
    await quiet_village.press(kind="fire", drill=True)
    await sees(page, "[data-status=raised]")
    await fits(page)


@pytest.mark.parametrize("who", ["neighbour", "police"])
async def test_a_responders_page_fits_a_small_phone(people: People, quiet_village: LiveSystem, who: str) -> None:
    page = await people.open(who, SMALL_PHONE)
    await fits(page)
    await quiet_village.press(kind="intrusion", silent=True)
    await sees(page, ".alarm")
    await fits(page)
    await page.locator("[data-answer=going]").click()
    await sees(page, "[data-stage=recorded]")
    await fits(page)


async def test_the_one_tap_page_fits_a_small_phone(people: People, live_system: LiveSystem, case: CaseId) -> None:
    page = await people.blank(SMALL_PHONE)
    await page.goto(await live_system.one_tap(case, live_system.subject("leader")))
    await sees(page, ".answers")
    await fits(page)


async def test_the_desk_fits_a_small_phone(people: People, case: CaseId) -> None:
    page = await people.open("operator", SMALL_PHONE)
    await sees(page, f"[data-case='{case}']")
    await fits(page)
    for parts in (".bar h1, .bar .line", ".count", ".tools .small"):
        assert await page.evaluate(IN_A_ROW, parts), parts
    assert [await page.evaluate(TORN, age) for age in AGES] == [0, 0, 0]
    await page.locator(f".list-pane [data-case='{case}']").click()
    await sees(page, ".timeline li")
    await fits(page)
    await page.locator(".raise").click()
    await page.locator("#household-search").fill("茅州村")
    await sees(page, ".found .check")
    assert await page.evaluate(OVERLAPPING) == []
    await fits(page)


async def test_the_desk_fits_a_desk(people: People, case: CaseId) -> None:
    page = await people.open("operator")
    await page.locator(f".list-pane [data-case='{case}']").click()
    await sees(page, ".timeline li")
    assert [await page.evaluate(TORN, age) for age in AGES] == [0, 0, 0]
    assert not await page.evaluate(SIDEWAYS)
    assert await page.evaluate(CUT) == []
    assert await page.evaluate(PALE) == []
    await page.set_viewport_size({"width": 1366, "height": 768})
    assert await page.evaluate(IN_A_ROW, ".bar h1, .count, .tools .small, .bar .line")
    assert await page.evaluate(IN_A_ROW, ".closing .small")
    assert not await page.evaluate(SIDEWAYS)


async def test_an_address_is_read_beside_a_long_report_of_the_end(people: People, live_system: LiveSystem) -> None:
    page, case = await people.open("operator"), await live_system.press(kind="medical")
    await page.locator(f".list-pane [data-case='{case}']").click()
    words = {"resolution": "helped", "text": "已送医，家属陪同。" * 50 + "n" * 200}
    await live_system.call("operator", "POST", f"/v1/cases/{case}/resolve", words)
    await sees(page, ".detail .over")
    title, head = [await page.locator(where).bounding_box() for where in (".head-title", ".head")]
    assert title is not None
    assert head is not None
    assert title["width"] > head["width"] / 2
    assert not await page.evaluate(SIDEWAYS)


async def test_110_is_on_the_screen_of_the_smallest_phone_while_help_is_waited_for(
    people: People, quiet_village: LiveSystem
) -> None:
    resident = await people.open("resident", {"width": 375, "height": 553})
    await hold(resident, ".key")
    await sees(resident, f"[data-case='{await quiet_village.open_case()}']")
    await sees(resident, ".line:has-text('请同时拨打110 Nobody could be reached yet: call 110 as well')")
    box = await resident.locator(".police").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 553
