"""Silence and danger on the pages: nothing lights up, sounds or shakes, and a cancel under duress looks like one."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from dispatch.identifiers import CaseId
from tests.browser.people import People, hold, sees
from tests.browser.pins import DURESS, PIN
from tests.browser.steering import chosen
from tests.live import LiveSystem
from tests.waiting import until

KEY, STOP = ".key", ".stop"
LISTEN = """
window.noise = [];
navigator.vibrate = (pattern) => { window.noise.push(["vibrate", pattern]); return true; };
const Context = window.AudioContext;
window.AudioContext = class extends Context { constructor() { super(); window.noise.push(["sound"]); } };
"""


async def answer(live: LiveSystem, case: str, who: str, what: str) -> None:
    status, _ = await live.call(who, "POST", f"/v1/cases/{case}/replies", {"answer": what})
    assert status == 200


async def cancel(page: Page, pin: str) -> None:
    await hold(page, STOP)
    await page.locator("dialog input[name=pin]").fill(pin)
    await page.locator("dialog [data-confirm]").click()


@pytest.mark.parametrize("silent", [True, False])
async def test_a_silent_press_makes_no_noise_from_the_key_to_the_first_who_comes(
    people: People, quiet_village: LiveSystem, *, silent: bool
) -> None:
    resident = await people.open("resident")
    await resident.add_init_script(LISTEN)
    await resident.reload()
    await sees(resident, ".ready:not(.off)")
    if silent:
        await resident.locator(".chip.quiet").click()
    await hold(resident, KEY)
    await sees(resident, "[data-case][data-status=raised]")
    await answer(quiet_village, await quiet_village.open_case(), "neighbour", "going")
    await sees(resident, "[data-case][data-status=under_way]")
    assert bool(await resident.evaluate("window.noise")) is not silent


async def test_a_cancel_under_duress_looks_like_one_at_home_and_is_red_elsewhere(
    people: People, with_pins: LiveSystem
) -> None:
    people.excuse("403")
    other = await with_pins.press(kind="fire")
    resident, neighbour, desk = [await people.open(who) for who in ("resident", "neighbour", "operator")]
    await cancel(resident, "0000")
    await sees(resident, "dialog[open] .problem:has-text('密码不对，警报继续')")
    await resident.locator("dialog [name=pin]").fill(DURESS)
    await resident.locator("dialog [data-confirm]").click()
    await sees(resident, "[data-status=cancelled]")
    await resident.reload()
    await sees(resident, "[data-status=cancelled]")
    await sees(neighbour, "[data-duress]:has-text('不要回拨，不要让对方看出您已知情')")
    assert await neighbour.locator("a[href^='tel:']").count() == 0, "nobody is led to ring back"
    await sees(desk, f".list-pane [data-case='{other}'] [data-duress]")
    await desk.locator(f".list-pane [data-case='{other}']").click()
    await sees(desk, ".detail [data-duress]:has-text('胁迫')")
    await answer(with_pins, other, "police", "going")
    await sees(desk, ".detail[data-status=under_way]")
    await sees(resident, "[data-status=cancelled]")
    assert await resident.locator("[data-duress], [data-status=under_way]").count() == 0
    # Whoever looks on makes them press once more.
    assert (await with_pins.call("resident", "POST", "/v1/alarms", {}, key="once-more"))[0] == 202
    await sees(resident, "[data-case][data-status=raised]")
    await sees(neighbour, "[data-duress]:has-text('同一户先前受胁迫的警情仍在处置')")
    assert await resident.locator("[data-duress], [data-silent]").count() == 0
    await with_pins.close(CaseId(other))


async def test_what_is_over_is_told_as_over_only_when_no_other_case_of_the_home_needs_them(
    people: People, with_pins: LiveSystem
) -> None:
    first = await with_pins.press(kind="help")
    neighbour = await people.open("neighbour")
    path = f"/v1/cases/{first}/cancel"
    assert (await with_pins.call("resident", "POST", path, {"pin": DURESS}))[0] == 200
    await sees(neighbour, "[data-duress]")
    await with_pins.press(kind="help")
    second = CaseId(await neighbour.locator("[data-other]").get_attribute("data-other") or "")
    beside = ".banner[data-duress]:has-text('同一户先前受胁迫的警情仍在处置')"
    await neighbour.locator(f"[data-other='{second}']").click()
    await sees(neighbour, beside)

    await with_pins.close(first)
    await sees(neighbour, ".banner[data-duress]:has-text('同一户先前发出过胁迫信号，地点相同')")
    assert await neighbour.locator(f"{beside}, [data-over='{first}']").count() == 0
    await with_pins.close(second)
    await sees(neighbour, f"[data-over='{second}']:has-text('警情已解除，不用再前往')")


async def test_a_household_with_a_pin_cancels_with_it(people: People, with_pins: LiveSystem) -> None:
    case = await with_pins.press(kind="help")
    resident = await people.open("resident")
    await cancel(resident, PIN)
    await sees(resident, "[data-status=cancelled]")
    assert (await with_pins.case(case)).status == "cancelled"


async def test_a_page_that_was_open_before_there_was_a_pin_asks_for_it_once(
    people: People, quiet_village: LiveSystem
) -> None:
    people.excuse("403")
    await quiet_village.press(kind="help")
    resident = await people.open("resident")
    path = f"/v1/households/{quiet_village.household}/pin"
    try:
        assert (await quiet_village.call("operator", "POST", path, {"pin": PIN, "duress_pin": DURESS}))[0] == 200
        await hold(resident, STOP)
        await resident.locator("dialog [data-confirm]").click()
        await sees(resident, "dialog [name=pin]")
        assert await resident.locator("dialog :text('请输入密码')").count() == 1
        assert await resident.evaluate("document.activeElement.name") == "pin"
    finally:
        await quiet_village.call("operator", "POST", path, {"pin": None, "duress_pin": None})


async def test_a_wrong_pin_keeps_the_dialog_with_an_empty_field_and_the_alarm_goes_on(
    people: People, with_pins: LiveSystem
) -> None:
    people.excuse("403")
    case = await with_pins.press(kind="help")
    resident = await people.open("resident")
    await cancel(resident, "0000")
    said = "dialog[open] .problem"
    await sees(resident, f"{said}:has-text('密码不对，警报继续'):has-text('you can also call 110')")
    first = await resident.locator(said).inner_text()
    assert len(first.splitlines()) == 2, "Chinese and English, a line each"
    assert await resident.evaluate("[document.activeElement.name, document.activeElement.value]") == ["pin", ""]
    async with resident.expect_response("**/cancel"):
        await resident.keyboard.type("1111")
        await resident.keyboard.press("Enter")
    await resident.wait_for_function("document.querySelector('dialog [name=pin]').value === ''")
    assert await resident.locator(said).inner_text() == first, "nothing tells how many tries there were"
    assert (await with_pins.case(case)).is_open

    await resident.keyboard.type(PIN)
    await resident.keyboard.press("Enter")
    await sees(resident, "[data-status=cancelled]")
    await sees(resident, "dialog[open]", state="hidden")


async def test_operators_alone_see_who_is_left_out(people: People, quiet_village: LiveSystem) -> None:
    him, path = quiet_village.subject("leader"), f"/v1/households/{quiet_village.household}/left-out"
    await quiet_village.call("operator", "POST", path, {"person": him, "reason": "打过她"})
    try:
        case = await quiet_village.press(kind="help")

        async def known() -> bool:  # what pages show of the roster is some seconds old
            return bool((await quiet_village.call("operator", "GET", f"/v1/cases/{case}"))[1]["left_out"])

        await until(known, "the desk to read the household anew")
        resident, neighbour, desk = [await people.open(who) for who in ("resident", "neighbour", "operator")]
        await desk.locator(f".list-pane [data-case='{case}']").click()
        await sees(desk, "[data-left-out]:has-text('打过她')")
        await desk.locator("[data-left-out] + button").click()
        await sees(desk, "[data-trail]:has-text('打过她')")
        people.excuse("409")
        await chosen(desk, him, him)
        await sees(desk, "dialog input[name=even_left_out]")
        for page in (resident, neighbour):
            await sees(page, "[data-case], .alarm")
            assert await page.locator("text=打过她").count() == 0
    finally:
        await quiet_village.call("operator", "DELETE", f"{path}/{him}")
