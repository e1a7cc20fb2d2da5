"""An operator at the desk: raising an alarm for somebody who telephones, and writing down what they say."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from playwright.async_api import ViewportSize

from dispatch.clock import now
from dispatch.events import DLQ, INTAKE, DeadLetter, Incident, IncidentBook
from dispatch.identifiers import CaseId
from tests.browser.people import DESK, NEXT_DOOR, PHONE, People, raised_next_door, sees
from tests.live import LiveSystem
from tests.stories import answer

pytestmark = pytest.mark.browser


async def test_an_alarm_is_raised_for_a_household_found_by_its_name(people: People, quiet_village: LiveSystem) -> None:
    desk = await people.open("operator")
    await desk.locator(".raise").click()
    await desk.locator("#household-search").fill("茅州村一组")
    await sees(desk, ".found .check:nth-of-type(2)")
    await desk.locator("dialog [data-confirm]").click()  # nobody is chosen yet: nothing is sent
    assert await desk.locator("dialog[open]").count() == 1

    await desk.locator("#household-search").fill("段家 茅州")
    only = f".found .check:only-of-type:has([value='{quiet_village.household}'])"
    await sees(desk, only)
    await desk.locator("select[name=kind]").select_option("fire")
    await desk.locator("dialog [data-confirm]").click()  # the only one found may be the wrong one
    assert await desk.locator("dialog[open] .found :checked").count() == 0

    await desk.locator(f"{only} input").focus()
    await desk.keyboard.press("Enter")
    await sees(desk, f"dialog[open] {only}:has(:checked)")
    await desk.locator("dialog [data-confirm]").click()
    case = await quiet_village.open_case()
    await sees(desk, f".case-pane [data-case='{case}']")
    assert (await quiet_village.case(case)).alarm.kind == "fire"
    await sees(desk, ".head-title:has-text('指挥台代报')")
    await sees(desk, f".timeline li:has-text('指挥台代报 {quiet_village.cast.operator.subject}')")


async def test_a_note_that_was_begun_is_still_there_after_a_look_at_another_case(
    people: People, quiet_village: LiveSystem, case: CaseId
) -> None:
    desk = await people.open("operator")
    async with raised_next_door(quiet_village, kind="medical") as other:
        await desk.locator(f".list-pane [data-case='{case}']").click()
        await desk.locator("#note").fill("门口有狗")
        await desk.locator(f".list-pane [data-case='{other}']").click()
        await sees(desk, f".case-pane [data-case='{other}']")
        assert await desk.locator("#note").input_value() == ""

        await desk.locator(f".list-pane [data-case='{case}']").click()
        await sees(desk, f".case-pane [data-case='{case}']")
        assert await desk.locator("#note").input_value() == "门口有狗"
        await desk.locator(".note-form .small").click()
        await sees(desk, ".notes li:has-text('门口有狗')")
        assert await desk.locator("#note").input_value() == ""


@pytest.mark.usefixtures("quiet_village")
async def test_the_desk_says_that_it_is_silent_until_its_sound_may_play(people: People) -> None:
    desk = await people.open("operator")
    silent = "[data-no-sound]:has-text('提示音未开'):has-text('Sound is off')"
    await sees(desk, silent)
    await desk.locator(".empty").first.click()
    await sees(desk, silent, state="hidden")

    await desk.reload()
    await sees(desk, silent)
    await desk.keyboard.press("j")
    await sees(desk, silent, state="hidden")


async def test_the_only_case_is_opened_by_itself_and_a_new_one_is_bright_until_somebody_looks(
    people: People, quiet_village: LiveSystem
) -> None:
    desk = await people.open("operator")
    await sees(desk, ".list-pane .empty")
    first = await quiet_village.press(kind="fire")
    await sees(desk, f".case-pane [data-case='{first}']")
    await sees(desk, f".row.new[data-case='{first}']")  # nobody needs to be there to have a case opened
    await desk.locator(".case-pane h2").click()
    await sees(desk, f".row[data-case='{first}']:not(.new)")

    async with raised_next_door(quiet_village, kind="help") as second:
        await sees(desk, f".rows > li:first-child > .row.new[data-case='{second}']:has-text('新')")
        await sees(desk, f".case-pane [data-case='{first}']")  # nothing is taken away from who is working on it
        await desk.locator(f".list-pane [data-case='{second}']").click()
        await sees(desk, f".rows > li:last-child > .row[data-case='{second}']:not(.new)")

    await desk.keyboard.press("Escape")
    await sees(desk, ".case-pane .empty")
    await answer(quiet_village, first, quiet_village.subject("police"), "going")
    await sees(desk, f".row[data-case='{first}'][data-status=under_way]")
    await sees(desk, ".case-pane .empty")  # whoever went back is not led there again by the next news of it


async def test_another_case_is_read_from_its_top(people: People, quiet_village: LiveSystem, case: CaseId) -> None:
    await quiet_village.finished(case)
    desk = await people.open("operator", {"width": 1440, "height": 500})
    async with raised_next_door(quiet_village, kind="medical") as other:
        await quiet_village.finished(other)
        for one in (case, other):
            await desk.locator(f".list-pane [data-case='{one}']").click()
            await sees(desk, f".case-pane [data-case='{one}'] .responders li")
            assert await desk.locator(".case-pane").evaluate("(pane) => pane.scrollTop") == 0
            below = await desk.locator(".case-pane").evaluate("(pane) => pane.scrollTop = 200")
            assert below == await desk.locator(".case-pane").evaluate("(pane) => pane.scrollTop")
    assert await desk.evaluate("[document.scrollingElement.scrollTop, innerHeight]") == [
        0,
        await desk.evaluate("document.scrollingElement.scrollHeight"),
    ], "the bar above the cases stays where it is"


async def test_why_a_call_failed_is_said_in_chinese(people: People, live_system: LiveSystem, case: CaseId) -> None:
    await live_system.finished(case)
    desk = await people.open("operator")
    await desk.locator(f".list-pane [data-case='{case}']").click()
    await sees(desk, ".outcome.failed:has-text('页面未打开')")
    await sees(desk, ".timeline li:has-text('页面未打开')")
    assert "no open page" not in await desk.locator(".case-pane").inner_text()


async def test_on_a_case_that_is_over_nothing_runs_on_and_that_it_is_over_stays_in_sight(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="help")
    desk = await people.open("operator", {"width": 1440, "height": 500})
    who = quiet_village.subject("police")
    reply = {"responder": who, "answer": "going", "eta_minutes": 5}
    assert (await quiet_village.call("operator", "POST", f"/v1/cases/{case}/replies", reply, key="going"))[0] == 200
    assert (await quiet_village.call("operator", "POST", f"/v1/cases/{case}/hand-over", {}, key="110"))[0] == 200
    await desk.locator(f".list-pane [data-case='{case}']").click()
    await sees(desk, f"[data-responder='{who}'] .given .clock")
    await sees(desk, "[role=alert][data-reached=false]:has-text('请立即自行拨打110')")
    await quiet_village.close(case)
    over = desk.locator(".case-pane .over:has-text('已结案 Resolved'):has-text('其他')")
    await over.wait_for()
    assert await desk.locator(".case-pane .clock").count() == 0
    await sees(desk, "[role=status][data-reached=false]:has-text('未能通知到110')")
    assert await desk.locator(".gaps li:has-text('110')").count() == 1
    await sees(desk, ".timeline li:has-text('移交110')")
    assert await desk.locator(".timeline li:text-matches('呼叫 Called：$')").count() == 0
    assert "自行" not in await desk.locator(".case-pane").inner_text()
    sizes: list[ViewportSize] = [PHONE, {"width": 1000, "height": 500}, {"width": 1440, "height": 500}]
    for size in sizes:
        await desk.set_viewport_size(size)
        await desk.locator(".timeline li").last.scroll_into_view_if_needed()
        box = await over.bounding_box()
        assert box is not None
        assert -1 <= box["y"] < size["height"], size


async def test_a_drill_stands_below_an_alarm_in_earnest(people: People, quiet_village: LiveSystem) -> None:
    drill = await quiet_village.press(kind="fire", drill=True)
    async with raised_next_door(quiet_village, kind="help") as real:
        case = (await quiet_village.case(real)).calls
        officer = next(person for step, person in case if person.startswith("c-"))
        async with quiet_village.system.http.post(
            await quiet_village.one_tap(real, officer), json={"answer": "going"}
        ) as answered:
            assert answered.status in {200, 201}
        desk = await people.open("operator")
        await sees(desk, f".list-pane [data-case='{real}'][data-status=under_way]")
        rows = desk.locator(".list-pane [data-case]")
        assert [await row.get_attribute("data-case") for row in await rows.all()] == [real, drill]


async def test_a_dead_letter_and_an_incident_are_shown_while_they_last(people: People, live_system: LiveSystem) -> None:
    nc, site = live_system.system.nc, live_system.log.site
    js, book, subject = nc.jetstream(), IncidentBook(nc, site), f"dlq.{site}.fanout"
    desk = await people.blank(DESK)
    await desk.goto(await live_system.system.link("operator", "chief"))  # of the whole site, who may read letters
    await sees(desk, ".line.live")
    await sees(desk, "[data-dlq='0']")

    letter = DeadLetter(
        by="fanout", reason="not a press: <b>", stream=INTAKE, subject="press", seq=9, at=now(), headers={}, body=b""
    )
    incident = Incident(kind="disk", what="nats", since=now(), detail="磁盘将满 the disk is nearly full")
    try:
        await js.publish(subject, msgspec.json.encode(letter))
        await sees(desk, "[data-dlq='1'].alert .letters li:has-text('not a press: <b>')")
        await book.tell(incident)
        told = "[data-incident=disk]:has-text('nats'):has-text('磁盘将满')"
        await sees(desk, told)

        await desk.reload()  # from the snapshot as from what came after it
        await sees(desk, "[data-dlq='1'].alert .letters li:has-text('not a press: <b>')")
        await sees(desk, told)
    finally:
        await js.purge_stream(DLQ, subject=subject)
        await book.over(incident.name)
    await sees(desk, "[data-incident=disk]", state="hidden")


async def test_a_letter_is_put_aside_and_taken_back_and_an_old_press_says_how_old_it_is(
    people: People, live_system: LiveSystem
) -> None:
    nc, site = live_system.system.nc, live_system.log.site
    js, subject = nc.jetstream(), f"dlq.{site}.fanout"
    letter = DeadLetter(
        by="fanout",
        reason="not a press",
        stream=INTAKE,
        subject=f"intake.press.{site}.h-0001",
        seq=9,
        at=now(),
        headers={},
        body=b"oops",
        stored_at=now() - timedelta(minutes=185),
    )
    elsewhere = await people.open("operator")  # of one area
    desk = await people.blank(DESK)
    await desk.goto(await live_system.system.link("operator", "chief"))
    await sees(desk, ".line.live")
    try:
        seq = (await js.publish(subject, msgspec.json.encode(letter))).seq
        mine = f"[data-letter='{seq}']"
        await sees(desk, f"{mine}:has-text('按键 press h-0001'):has-text('3小时5分前'):has-text('not a press')")
        home = (await live_system.system.roster.households([NEXT_DOOR]))[NEXT_DOOR]
        assert home.phone is not None
        await sees(desk, f"{mine}:has-text('{home.name}'):has-text('{home.phone}'):has-text('没有呼叫任何人')")
        await sees(elsewhere, f"{mine}:has-text('按键 press'):has-text('3小时5分前'):has-text('仅全站值班员可见')")
        told = await elsewhere.locator(mine).inner_text()
        assert not [word for word in ("h-0001", home.name, home.phone) if word in told]
        await desk.locator(f"{mine} [data-deed=retry]").click()
        await sees(desk, "dialog[open] [data-old]:has-text('3:05:')")
        await sees(desk, "dialog[open]:has-text('重试也不会呼叫任何人')")
        await desk.locator("dialog [data-confirm]").click()
        await sees(desk, "[data-dealt=open]:has-text('cannot be read')")
        await sees(desk, f"{mine}:has-text('cannot be read')")

        await desk.locator(f"{mine} [data-deed=dismiss]").click()
        await desk.locator("dialog [name=reason]").fill("测试按钮")
        await desk.locator("dialog [data-confirm]").click()
        await sees(desk, mine, state="hidden")
        await sees(desk, "[data-dealt=dismissed]")
        await desk.locator("[data-undo]").click()
        await sees(desk, mine)
        await sees(elsewhere, mine)
        assert await elsewhere.locator("[data-deed=retry], [data-deed=dismiss]").count() == 0
    finally:
        await js.purge_stream(DLQ, subject=subject)


async def test_duress_stands_before_all_else_then_what_is_new_and_then_the_longest_waiting(people: People) -> None:
    page = await people.blank(DESK)
    await page.goto("/")
    order = await page.evaluate(
        """async () => {
             const { byUrgency } = await import("/static/desk/order.js");
             const at = (minute) => `2026-11-21T08:0${minute}:00Z`;
             const view = (id, more) => ({ id, status: "raised", kind: "fire", pressed_at: at(0), ...more });
             const views = [
               view("drill", { drill: true }), view("there", { status: "on_scene" }), view("real", {}),
               view("fire", { pressed_at: at(4) }), view("help", { kind: "help", pressed_at: at(3) }),
               view("coming", { status: "under_way" }), view("new", { pressed_at: at(9) }),
               view("duress in a drill", { drill: true, duress: true, status: "on_scene", kind: "help" }),
             ];
             return byUrgency(views, new Set(["new"])).map((one) => one.id);
           }"""
    )
    assert order == ["duress in a drill", "new", "real", "help", "fire", "coming", "there", "drill"]
