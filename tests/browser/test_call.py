"""One press on one screen, and what everybody else sees."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Request, Route

from dispatch.cases import CaseDesk, LeaveOut
from dispatch.clock import now
from dispatch.identifiers import CommitId, PersonId
from tests.browser.people import PHONE, RINGS, People, hold, sees
from tests.live import LiveSystem
from tests.waiting import until

pytestmark = pytest.mark.browser

KEY = ".key"
ASKED_AGAIN_MS = 10_000
"""Within so long a one-tap page asks again how the case stands."""


@pytest.mark.alone
async def test_a_held_key_rings_two_pages_and_one_answer_shows_within_a_second(
    people: People, quiet_village: LiveSystem
) -> None:
    resident, desk = await people.open("resident"), await people.open("operator")
    neighbour, officer = await people.open("neighbour"), await people.open("auxiliary")

    await hold(resident, KEY)
    await asyncio.gather(sees(neighbour, RINGS), sees(officer, RINGS))
    case = await quiet_village.open_case()
    row = f".list-pane [data-case='{case}']"
    await sees(desk, f"{row}[data-status=raised]")
    await sees(resident, f"[data-case='{case}'][data-status=raised] .line:has-text('2人已送达 2 of them were reached')")
    await desk.locator(row).click()  # a page whose ring is off has the call all the same: reached, not rung
    called = f".responders [data-responder='{quiet_village.subject('neighbour')}']"
    await sees(desk, f"{called} .delivered:has-text('已送达')")
    await sees(desk, ".facts :has(> dt:has-text('首次送达 First reached')) time")

    await neighbour.locator("[data-eta='5']").click()
    await asyncio.gather(
        sees(desk, f"{row}[data-status=under_way]", within_ms=1000),
        sees(resident, f"[data-case='{case}'][data-status=under_way] .eta .clock", within_ms=1000),
        sees(officer, f"[data-responder='{quiet_village.subject('neighbour')}']", within_ms=1000),
    )
    await sees(officer, RINGS)  # one answer silences nobody else

    await sees(desk, f"{called}[data-answer=going]")
    await sees(desk, ".timeline li:has-text('5分钟')")

    await desk.locator("[data-resolution=helped]").click()
    await desk.locator("[data-confirm]").click()
    await asyncio.gather(*(sees(page, "[data-status=resolved]") for page in (resident, neighbour, officer)))
    await sees(officer, RINGS, state="hidden")
    closed = await quiet_village.case(case)
    assert closed.closing is not None
    assert closed.closing.resolution == "helped"

    async def in_the_database() -> bool:
        status, board = await quiet_village.call("operator", "GET", "/v1/cases?status=closed")
        return status == 200 and case in {kept["case_id"] for kept in board["cases"]}  # type: ignore[attr-defined]

    await until(in_the_database, "the row in the database")


async def test_the_key_works_among_six_pages_of_one_browser(people: People, quiet_village: LiveSystem) -> None:
    """A browser opens six connections to a server, and each page's stream holds one."""
    resident, *responders, desk = await people.together(
        "resident", "neighbour", "leader", "auxiliary", "police", "operator"
    )
    await resident.bring_to_front()
    await hold(resident, KEY)
    await sees(resident, "[data-case][data-status=raised]")
    await asyncio.gather(*(sees(page, RINGS) for page in responders))
    case = await quiet_village.open_case()
    await responders[0].bring_to_front()
    await responders[0].locator("[data-eta='5']").click()
    await asyncio.gather(*(sees(page, f"[data-case='{case}'][data-status=under_way]") for page in (resident, desk)))


async def test_a_key_let_go_early_sends_nothing(people: People, quiet_village: LiveSystem) -> None:
    resident = await people.open("resident")
    sent: list[str] = []

    def count(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.url)

    resident.on("request", count)
    await hold(resident, KEY, 600)
    await sees(resident, ".say:has-text('没有发送')")
    await resident.keyboard.press("Tab")
    await resident.locator(KEY).focus()
    await resident.keyboard.down(" ")
    await resident.wait_for_timeout(600)
    await resident.keyboard.up(" ")
    await sees(resident, ".say:has-text('没有发送')")
    await resident.wait_for_timeout(700)  # longer than the rest of the second
    assert sent == []

    await resident.keyboard.down(" ")
    case = await quiet_village.open_case()
    await resident.keyboard.up(" ")
    assert sent == [f"{quiet_village.url}/v1/alarms"]
    await sees(resident, f"[data-case='{case}']")


async def test_a_press_without_a_line_is_kept_across_a_reload_and_is_one_press(
    people: People, quiet_village: LiveSystem
) -> None:
    people.excuse("ERR_INTERNET_DISCONNECTED|Failed to load resource|Failed to fetch")
    resident = await people.open("resident")
    await resident.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await resident.reload()  # now the shell is kept by the service worker
    await sees(resident, ".ready:not(.off)")
    await resident.locator(".chip:has-text('火警')").click()

    await resident.context.set_offline(True)
    await hold(resident, KEY)
    await sees(resident, "[data-stage=retrying]:has-text('110')")
    await resident.reload()
    await sees(resident, "[data-stage=retrying]:has-text('110')")
    await resident.context.set_offline(False)

    case = await quiet_village.open_case()
    await sees(resident, f"[data-case='{case}']")
    raised = await quiet_village.case(case)
    assert (raised.alarm.kind, len(raised.presses)) == ("fire", 1)


async def test_who_comes_is_seen_also_when_the_answer_to_the_press_comes_last(
    people: People, quiet_village: LiveSystem
) -> None:
    resident = await people.open("resident")

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        await quiet_village.finished(await quiet_village.open_case())
        await resident.wait_for_timeout(250)  # nothing more comes over the stream; after 500 ms it is opened anew
        await route.fulfill(response=answer)

    await resident.route("**/v1/alarms", answer_late)
    await hold(resident, KEY)
    await sees(resident, "[data-case][data-status=raised]")
    await sees(resident, "[data-stage]", state="hidden")


async def test_a_silent_press_is_silent_and_says_so_to_those_who_come(
    people: People, quiet_village: LiveSystem
) -> None:
    resident, neighbour = await people.open("resident"), await people.open("neighbour")
    await resident.locator(".chip.quiet").click()
    await hold(resident, KEY)
    await sees(neighbour, "[data-silent]")
    await sees(resident, "body.quiet [data-status=raised]")
    assert (await quiet_village.case(await quiet_village.open_case())).alarm.silent
    assert await neighbour.locator("a[href^='tel:']").count() == 0, "nobody is led to ring back"
    await quiet_village.close(await quiet_village.open_case())
    await sees(resident, ".chip.quiet[aria-pressed=false]")  # the next press is not silent unasked


LIGHT = """(element) => {
  const style = getComputedStyle(element);
  const brightest = (colour) => Math.max(...colour.match(/[\\d.]+/g).slice(0, 3).map(Number));
  return [style.backgroundColor, style.color, style.borderColor].map(brightest);
}"""


async def test_in_silence_the_safe_answer_stands_out_and_nothing_lights_up(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="help", silent=True)
    resident = await people.open("resident")
    await hold(resident, ".stop")
    dialog, safe, other = (resident.locator(one) for one in ("dialog", "dialog .main", "dialog [data-confirm]"))
    lights = [await one.evaluate(LIGHT) for one in (dialog, safe, other)]
    assert all(light < 200 for kept in lights for light in kept), lights
    assert lights[1][0] > lights[2][0], "the safe one has a ground of its own"

    people.excuse("403")
    await other.click()
    refused = ".problem:has-text('静默报警只能由指挥中心解除')"
    await sees(resident, refused)
    assert max(await resident.locator(refused).evaluate(LIGHT)) < 200

    await quiet_village.close(case)
    again = await quiet_village.press(kind="help")
    await sees(resident, f"[data-case='{again}'][data-status=raised]")
    await sees(resident, ".problem", state="hidden")  # that was said of the case before


async def test_a_key_that_is_held_long_enough_counts_also_where_the_page_was_busy_meanwhile(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="help")
    resident = await people.open("resident")
    await resident.evaluate(
        """addEventListener("pointerdown", () => setTimeout(() => {
          const until = Date.now() + 1500;
          while (Date.now() < until);
        }, 600), { once: true })"""
    )
    await hold(resident, ".stop")
    await resident.locator("dialog [data-confirm]").click()
    await sees(resident, "[data-status=cancelled]")
    assert (await quiet_village.case(case)).status == "cancelled"


async def test_the_alarm_is_cancelled_only_after_a_hold_and_a_question(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="help")
    resident, neighbour = await people.open("resident"), await people.open("neighbour")
    await sees(neighbour, RINGS)
    await hold(resident, ".stop")
    await resident.locator("dialog .button.main").click()  # no, I still need help
    assert (await quiet_village.case(case)).is_open
    await hold(resident, KEY)  # which puts nothing aside that is still to be told of this case
    await sees(resident, ".card:has-text('Pressed 2 times')")
    await hold(resident, ".stop")
    await resident.locator("dialog [data-confirm]").click()
    await asyncio.gather(*(sees(page, "[data-status=cancelled]") for page in (resident, neighbour)))


async def test_the_link_answers_when_tapped_and_not_before(people: People, quiet_village: LiveSystem) -> None:
    case = await quiet_village.press(kind="help")
    person = quiet_village.cast.neighbour.subject
    page = await people.blank({"width": 360, "height": 740})
    await page.goto(await quiet_village.one_tap(case, person))
    await sees(page, "[data-answer=cannot]")
    assert not (await quiet_village.case(case)).replies

    await page.locator("[data-answer=cannot]").click()
    await sees(page, "[data-stage=recorded]")
    await page.locator("[data-answer=going]").click()

    async def going() -> bool:
        replies = (await quiet_village.case(case)).replies
        return [reply.answer for reply in replies.values()] == ["going"]

    await until(going, "the changed answer")


async def test_a_link_that_is_looked_at_hears_what_happens_and_no_key_of_it_moves(
    people: People, quiet_village: LiveSystem
) -> None:
    people.excuse("ERR_INTERNET_DISCONNECTED|Failed to load resource")
    case, person = await quiet_village.press(kind="help"), quiet_village.cast.neighbour.subject
    page = await people.blank(PHONE)
    await page.clock.install()
    await page.goto(await quiet_village.one_tap(case, person))
    key, clock = page.locator("[data-answer=going]"), page.locator(".alarm-clock .clock")
    await sees(page, ".slot:has-text('请点一个应答')")
    where = await key.bounding_box()
    await page.context.set_offline(True)
    await page.clock.fast_forward(ASKED_AGAIN_MS)
    await sees(page, ".problem:has-text('画面可能不是最新')")
    await page.context.set_offline(False)
    stand_down = f"/v1/cases/{case}/stand-down"
    assert (await quiet_village.call("operator", "POST", stand_down, {"responders": [person]}))[0] == 200
    await page.clock.fast_forward(ASKED_AGAIN_MS)
    await sees(page, "[data-stood-down]:has-text('您不用前往')")
    await sees(page, ".problem", state="hidden")
    assert await key.bounding_box() == where

    await quiet_village.close(case)
    await page.evaluate("dispatchEvent(new Event('visibilitychange'))")  # as for somebody who comes back to it
    await sees(page, ".alarm.ended:has-text('历时 It lasted')")
    await sees(page, ".over:has-text('这起警情已结束')")
    assert await key.count() == 0
    said = await page.locator(".alarm-address, .alarm-name").all_text_contents()
    assert said == [said[0], "茅州村"], "who, and no more where, is told once"
    ended = await clock.text_content()
    asked: list[str] = []

    def count(request: Request) -> None:
        asked.append(request.url)

    page.on("request", count)
    await page.clock.fast_forward(3 * ASKED_AGAIN_MS)
    assert (await clock.text_content(), asked) == (ended, [])


async def test_a_link_says_what_was_recorded_as_it_is_by_now_and_nothing_any_more_to_who_is_left_out(
    people: People, quiet_village: LiveSystem
) -> None:
    people.excuse("404|403")
    case, person = await quiet_village.press(kind="help"), quiet_village.cast.neighbour.subject
    page = await people.blank(PHONE)
    await page.clock.install()
    await page.goto(await quiet_village.one_tap(case, person))
    await page.locator("[data-answer=going]:enabled").click()
    await sees(page, "[data-stage=recorded]:has-text('前往')")
    record = f"/v1/cases/{case}/replies"
    noted = {"responder": person, "answer": "cannot"}
    assert (await quiet_village.call("operator", "POST", record, noted))[0] == 200
    await page.clock.fast_forward(ASKED_AGAIN_MS)
    await sees(page, "[data-stage=recorded]:has-text('无法前往')")
    left_out = LeaveOut(id=CommitId("out"), at=now(), people=(PersonId(person),), by="operator:wang")
    await CaseDesk(quiet_village.log).handle(case, left_out)
    await page.clock.fast_forward(ASKED_AGAIN_MS)
    await sees(page, "[role=alert]")
    assert await page.locator(".alarm").count() == 0, "the address is gone"


async def test_the_link_of_what_is_over_sends_nobody_home_from_another_alarm_of_the_same_household(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="help")
    link = await quiet_village.one_tap(case, quiet_village.cast.neighbour.subject)
    await quiet_village.close(case)
    await quiet_village.press(kind="help")
    page = await people.blank(PHONE)
    await page.goto(link)
    await sees(page, ".over:has-text('这起警情已结束'):has-text('If you have another call, that one still stands')")
    assert await page.locator(":text('不用再前往')").count() == 0


async def test_an_operator_records_an_answer_that_was_phoned_in_and_writes_a_note(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="help")
    desk, leader = await people.open("operator"), quiet_village.subject("leader")
    await sees(desk, f".list-pane [data-case='{case}']")
    await desk.keyboard.press("j")
    line = f"[data-responder='{leader}']"
    await desk.locator(f"{line} .thin").click()
    await desk.locator(f"{line} .record .small:has-text('10分钟')").click()
    await sees(desk, f"{line}[data-answer=going]")
    await desk.keyboard.press("n")
    await desk.keyboard.type("<b>门口有狗</b>")
    await desk.locator(".note-form .small").click()
    await sees(desk, ".notes li:has-text('<b>门口有狗</b>')")  # as text, not as markup
    assert [note.text for note in (await quiet_village.case(case)).notes] == ["<b>门口有狗</b>"]
