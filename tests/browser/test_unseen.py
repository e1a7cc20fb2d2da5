"""What nobody at the desk has looked at is bright and is heard, whatever the operator did meanwhile."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser.people import People, closes, raised_next_door, sees
from tests.browser.pins import DURESS
from tests.live import LiveSystem
from tests.waiting import until

pytestmark = pytest.mark.browser

COUNT_TONES = """() => {
  window.tones = 0;
  const { start } = OscillatorNode.prototype;
  OscillatorNode.prototype.start = function (...when) { window.tones += 1; return start.apply(this, when); };
}"""


HASTE = """const inTime = setInterval;
window.reminded = 0;
window.setInterval = (what, after) => {
  const counted = () => { what(); window.reminded += 1; };
  return after === 10_000 ? inTime(counted, 200) : inTime(what, after);
};"""


def new(case: str) -> str:
    return f".row.new[data-case='{case}']"


async def hears(desk: Page) -> None:
    """Wait until the desk sounds, and forget it."""
    await until(lambda: desk.evaluate("window.tones > 0"), "the desk to sound")
    await desk.evaluate("window.tones = 0")


async def test_the_report_silences_no_desk_and_a_desk_that_is_loaded_again_knows_what_nobody_looked_at(
    people: People, quiet_village: LiveSystem
) -> None:
    desk = await people.open("operator")
    await desk.context.add_init_script(f"({COUNT_TONES})()")
    await desk.reload()
    await sees(desk, ".line.live")
    async with desk.expect_popup() as opened:
        await desk.locator("[data-report-link]").click()
    report = await opened.value
    await sees(report, "article.sheet")
    first = await quiet_village.press(kind="fire")
    await sees(desk, new(first))
    await hears(desk)
    await closes(report, ".controls a[href^='/desk/']")

    await desk.reload()
    await sees(desk, new(first))
    async with raised_next_door(quiet_village) as second:
        await sees(desk, new(second))
        await desk.keyboard.press("Shift")  # the sound may play from now on
        await hears(desk)
        await desk.locator(f".row[data-case='{first}']").click()
        await sees(desk, f".row[data-case='{first}']:not(.new)")
        path = f"/v1/cases/{second}/notes"
        status, _ = await quiet_village.call("operator", "POST", path, {"text": "在电话里"}, key="n")  # at another desk
        assert status == 200
        await sees(desk, f".row[data-case='{second}']:not(.new)")
        await desk.reload()
        await sees(desk, f".row[data-case='{second}']")
        await sees(desk, ".row.new", state="hidden")


async def test_an_alarm_that_nobody_looked_at_is_heard_again_and_so_is_one_that_gets_worse(
    people: People, with_pins: LiveSystem
) -> None:
    desk = await people.open("operator")
    await desk.context.add_init_script(f"{HASTE}\n({COUNT_TONES})()")
    await desk.reload()
    await sees(desk, ".line.live")
    await desk.keyboard.press("Shift")
    async with raised_next_door(with_pins, drill=True) as drill:
        await sees(desk, new(drill))
        await hears(desk)
        before = await desk.evaluate("window.reminded")
        await until(lambda: desk.evaluate(f"window.reminded >= {before} + 2"), "two more looks at what nobody has seen")
        assert await desk.evaluate("window.tones") == 0, "of a drill it is told once"

    case = await with_pins.press(kind="help")
    for _ in range(3):
        await hears(desk)
    seen = f".row[data-case='{case}']:not(.new)"
    await desk.locator(f".row[data-case='{case}']").click()
    await sees(desk, seen)
    await with_pins.press(kind="help")
    await sees(desk, f"{new(case)}:has-text('×2')")
    await hears(desk)
    await desk.locator(".case-pane h2").click()
    await sees(desk, seen)
    await with_pins.call("resident", "POST", f"/v1/cases/{case}/cancel", {"pin": DURESS}, key="under-duress")
    await sees(desk, f"{new(case)} [data-duress]")
    await hears(desk)
