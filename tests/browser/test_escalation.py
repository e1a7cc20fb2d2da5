"""How a call widens, as everybody sees it: the operator steers it, and who is not needed is let go."""

from __future__ import annotations

import asyncio
import re

import pytest
from msgspec.structs import replace
from playwright.async_api import Page

from dispatch.events import Quorum
from dispatch.identifiers import CaseId, PersonId
from dispatch.roster import ApprisePoint, WebhookPoint
from tests.browser.people import DESK, PHONE, SIDEWAYS, People, raised_next_door, sees
from tests.browser.policies import LEADER_NEXT_DOOR, PATIENT, TO_110, agreed
from tests.browser.test_layout import fits
from tests.live import LiveSystem
from tests.receivers import receiving
from tests.village import SECRET
from tests.waiting import until

pytestmark = pytest.mark.browser

WAIT = ".escalation .wait .zh"
RINGS = "main.ringing .alarm"
THANKED = "[data-stood-down]:has-text('已有足够人手，感谢您，不用前往')"
NOT_NEEDED = "[data-stood-down]:has-text('您不用前往，感谢您')"
SOON = 2


async def answer(live: LiveSystem, case: CaseId, who: str, what: str) -> None:
    link = await live.one_tap(case, live.subject(who))
    async with live.system.http.post(link, json={"answer": what}) as answered:
        assert answered.status in {200, 201}


async def at_the_desk(people: People, case: CaseId) -> Page:
    desk = await people.open("operator")
    await desk.locator(f".list-pane [data-case='{case}']").click()
    await sees(desk, f".case-pane [data-case='{case}']")
    return desk


async def confirmed(desk: Page, deed: str) -> None:
    await desk.locator(f"[data-deed='{deed}']").click()
    await desk.locator("dialog [data-confirm]").click()
    await sees(desk, "dialog", state="hidden")


async def test_the_desk_counts_down_to_the_next_step(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), 90, PATIENT):
        case = await quiet_village.press()
        desk = await at_the_desk(people, case)
        await sees(desk, f"{WAIT}:has-text('第2/2步')")
        said = await desk.locator(WAIT).inner_text()
        assert re.search(r"等待应答，\d+秒后自动升级（第2/2步）", said)

        async def ticked() -> bool:
            return await desk.locator(WAIT).inner_text() != said

        await until(ticked, "the countdown to go on")

        await answer(quiet_village, case, "neighbour", "going")
        await answer(quiet_village, case, "police", "going")
        await sees(desk, f"{WAIT}:has-text('已有足够人手，等待到场')")
        await answer(quiet_village, case, "police", "on_scene")
        await sees(desk, f"{WAIT}:has-text('有人到场，等待结案')")


async def test_with_somebody_there_and_too_few_everybody_reads_that_more_are_called(
    people: People, quiet_village: LiveSystem
) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT, PATIENT):
        case = await quiet_village.press()
        desk, resident = await at_the_desk(people, case), await people.open("resident")
        await answer(quiet_village, case, "neighbour", "on_scene")
        await sees(desk, f"{WAIT}:has-text('有人到场，人手未足'):has-text('自动升级（第2/2步）')")
        await sees(resident, "[data-status=on_scene] .next:has-text('后将呼叫')")
        await sees(resident, "[data-few='1/2']:has-text('需要2人，已有1人'):has-text('1 of 2')")
        row = f".list-pane [data-case='{case}']"
        for place in (row, ".head-now"):
            await sees(desk, f"{place} [data-few='1/2']:has-text('人手未足 1/2 1 of 2')")
            green = "(line) => getComputedStyle(line).color === 'rgb(111, 220, 148)'"
            assert not await desk.locator(f"{place} .status.on_scene").evaluate(green)
        await confirmed(desk, "widen")
        await sees(desk, f"{WAIT}:has-text('人手未足；已升级到最后一步，等待结案')")
        await sees(resident, ".next", state="hidden")
        ground = "(block) => getComputedStyle(block).backgroundColor"
        assert await desk.locator(".escalation[data-waits=closing]").evaluate(ground) == "rgb(74, 53, 0)"
        for size in (PHONE, DESK):
            await desk.set_viewport_size(size)
            assert not await desk.evaluate(SIDEWAYS)


async def test_a_step_taken_by_itself_says_why(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), SOON, PATIENT):
        case = await quiet_village.press()
        desk = await at_the_desk(people, case)
        await sees(desk, f"[data-responder='{LEADER_NEXT_DOOR}']")
        await sees(desk, ".timeline li:has-text('升级至第2步'):has-text('应答不够')")
        await sees(desk, ".timeline li:has-text('预案'):has-text('story')")
        await sees(desk, f"{WAIT}:has-text('重复最后一步')")


async def test_the_operator_widens_only_after_a_question(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT, PATIENT):
        case = await quiet_village.press()
        desk = await at_the_desk(people, case)
        await desk.locator("[data-deed=widen]").click()
        await desk.locator("dialog .choices .button:not([data-confirm])").click()
        await sees(desk, "dialog", state="hidden")
        await confirmed(desk, "widen")
        await sees(desk, f"[data-responder='{LEADER_NEXT_DOOR}']")
        await sees(desk, ".escalation[data-position='1']")
        await sees(desk, ".timeline li:has-text('升级至第2步'):has-text('值班员要求')")
        assert (await quiet_village.case(case)).position == 1, "the question that was not answered changed nothing"


async def test_the_operator_pauses(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT, PATIENT):
        case = await quiet_village.press()
        desk, resident = await at_the_desk(people, case), await people.open("resident")
        await confirmed(desk, "pause")
        await sees(desk, f"{WAIT}:has-text('已暂停至')")
        await sees(desk, ".timeline li:has-text('暂停升级至')")
        await sees(resident, ".next:has-text('值班员正在处理')")
        assert re.search(r"[45]分\d+秒后升级", await desk.locator(WAIT).inner_text())


async def test_who_is_stood_down_stops_ringing_until_called_again(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT):
        case = await quiet_village.press()
        me = quiet_village.subject("neighbour")
        desk, neighbour = await at_the_desk(people, case), await people.open("neighbour")
        resident = await people.open("resident")
        await sees(neighbour, RINGS)
        await sees(resident, "[data-waiting]:has-text('正在等人应答')")
        await desk.locator("[data-deed='stand-down']").click()
        await sees(desk, "dialog [data-nobody-left]")
        await desk.locator("dialog [data-confirm]").click()
        await sees(desk, "dialog", state="hidden")
        await sees(resident, "[data-waiting]:has-text('目前没有人前来；如仍需要帮助，请拨打110')")
        row = f".responders [data-responder='{me}']"
        await sees(desk, f"{row}[data-stood-down=true] .given:has-text('已解除')")
        await sees(desk, ".timeline li:has-text('解除 Stood down')")
        await sees(neighbour, NOT_NEEDED)
        await sees(neighbour, RINGS, state="hidden")
        assert await desk.locator("[data-deed='stand-down']").is_disabled()
        link = await people.blank(PHONE)
        await link.goto(await quiet_village.one_tap(case, me))
        await sees(link, NOT_NEEDED)

        await desk.locator("[data-deed=calls]").click()
        await desk.locator("[name=responder]").fill(me)
        await desk.locator("dialog [data-confirm]").click()
        await sees(neighbour, RINGS)
        await sees(desk, f"{row}[data-stood-down=false]:has-text('值班员指定')")


async def test_enough_answers_let_the_others_go_and_they_can_still_come(
    people: People, quiet_village: LiveSystem
) -> None:
    async with agreed(quiet_village, Quorum(anyone=1), PATIENT):
        case = await quiet_village.press()
        neighbour = await people.open("neighbour")
        await sees(neighbour, RINGS)
        await answer(quiet_village, case, "police", "going")
        await sees(neighbour, THANKED)
        await sees(neighbour, RINGS, state="hidden")

        await neighbour.locator("[data-eta='5']").click()
        await sees(neighbour, "[data-stage=recorded]")
        await sees(neighbour, "[data-eta='5'][aria-pressed=true]")
        await neighbour.reload()
        await sees(neighbour, "[data-eta='5'][aria-pressed=true]")
        assert await neighbour.locator(THANKED).count() == 0


async def test_another_alarm_stands_before_the_one_that_needs_nobody_more(
    people: People, quiet_village: LiveSystem
) -> None:
    async with agreed(quiet_village, Quorum(anyone=1), PATIENT):
        case = await quiet_village.press(kind="fire")
        neighbour = await people.open("neighbour")
        await answer(quiet_village, case, "police", "going")
        await sees(neighbour, THANKED)
        async with raised_next_door(quiet_village, kind="medical"):
            await sees(neighbour, f"{RINGS}:has-text('急病')")
            await sees(neighbour, ".cases .button:only-child:has-text('不用前往')")


async def test_a_silent_alarm_says_nothing_at_home_of_how_many_are_enough(
    people: People, quiet_village: LiveSystem
) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT):
        case = await quiet_village.press(silent=True)
        desk, resident = await at_the_desk(people, case), await people.open("resident")
        await answer(quiet_village, case, "neighbour", "on_scene")
        await sees(desk, ".head-now [data-few='1/2']")
        await sees(resident, "[data-status=on_scene]")
        assert await resident.locator("[data-few]").count() == 0


async def test_who_cannot_come_is_rung_again_when_called_by_name(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT):
        case = await quiet_village.press()
        desk, neighbour = await at_the_desk(people, case), await people.open("neighbour")
        await sees(neighbour, RINGS)
        await neighbour.locator("[data-answer=cannot]").click()
        await sees(neighbour, "[data-stage=recorded]")
        await sees(neighbour, RINGS, state="hidden")

        await desk.locator("[data-deed=calls]").click()
        name = desk.locator(f"#known-people option[value='{quiet_village.subject('neighbour')}']")
        await desk.locator("[name=responder]").fill(await name.text_content() or "")
        await desk.locator("dialog [data-confirm]").click()
        await sees(neighbour, RINGS)
        await neighbour.locator("[data-answer=going]").click()
        await sees(neighbour, RINGS, state="hidden")
        await sees(desk, f"[data-responder='{quiet_village.subject('neighbour')}'][data-answer=going]")


async def test_a_person_who_is_not_known_is_not_called(people: People, quiet_village: LiveSystem) -> None:
    people.excuse("404")
    case = await quiet_village.press()
    desk = await at_the_desk(people, case)
    await desk.locator("[data-deed=calls]").click()
    await desk.locator("[name=responder]").fill("没有这个人")
    await desk.locator("dialog [data-confirm]").click()
    await sees(desk, "dialog [role=alert]:has-text('列表中没有叫这个名字的人')")
    await desk.locator("[name=responder]").fill("nobody")
    await desk.locator("dialog [data-confirm]").click()
    await sees(desk, "dialog [role=alert]:has-text('没有找到')")


async def test_the_resident_reads_what_happens_next_and_not_in_silence(
    people: People, quiet_village: LiveSystem
) -> None:
    async with agreed(quiet_village, Quorum(anyone=1), 90, PATIENT):
        case = await quiet_village.press()
        resident = await people.open("resident")
        await sees(resident, ".next:has-text('秒后将呼叫邻组组长')")
        await answer(quiet_village, case, "police", "going")
        await sees(resident, ".next:has-text('已有足够的人赶来')")
        await quiet_village.close(case)

        await quiet_village.press(silent=True)
        await sees(resident, "body.quiet [data-status=raised]")
        assert await resident.locator(".next").count() == 0


NEXT_WORDS = """async (view) => {
  const { nextWords } = await import("/static/lib/escalation.js");
  return nextWords(view, Date.now())[0];
}"""


async def test_nobody_at_home_is_told_to_call_110_while_somebody_is_coming_nor_in_a_drill(
    people: People, quiet_village: LiveSystem
) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT, PATIENT, calls=TO_110):
        case = await quiet_village.press()
        resident = await people.open("resident")
        await sees(resident, ".next:has-text('已没有更多人可呼叫，请自行拨打110')")
        await answer(quiet_village, case, "police", "going")
        await sees(resident, ".next .zh:text-is('已没有更多人可呼叫')")
        await quiet_village.close(case)
    passed = "2026-01-01T00:00:00Z"  # whoever is coming is late
    for what, drill, coming, on_scene, alone in (
        ("answers", False, 0, 0, True),
        ("answers", True, 0, 0, False),
        ("arrival", False, 1, 0, False),
        ("answers", False, 0, 1, False),
    ):
        escalation = {"waits_for": {"what": what, "until": passed, "because": "late"}, "next_call": None}
        view = {"escalation": escalation, "drill": drill, "coming": coming, "on_scene": on_scene, "handed_over": None}
        said = await resident.evaluate(NEXT_WORDS, view)
        assert said.startswith("已没有更多人可呼叫")
        assert ("110" in said) == alone, view


WAITING_WORDS = """async (view) => {
  const { waitingWords } = await import("/static/resident/coming.js");
  return waitingWords(view);
}"""


@pytest.mark.usefixtures("quiet_village")
async def test_an_answer_is_waited_for_at_home_only_while_somebody_can_give_one(people: People) -> None:
    resident = await people.open("resident")
    failed = {"state": "failed", "answer": None, "stood_down": False}
    rung = {**failed, "state": "delivered"}
    cannot, let_go = {**rung, "answer": "cannot"}, {**rung, "stood_down": True}
    unreached = "还没有人收到", "，请同时拨打110"
    nobody = "目前没有人前来", "；如仍需要帮助，请拨打110"
    waiting = "正在等人应答，请保持警惕", ""
    for responders, (words, advice) in (
        ([failed, failed], unreached),
        ([failed, cannot], nobody),
        ([failed, let_go], nobody),
        ([failed, {**failed, "answer": "cannot"}], nobody),  # who has answered by phone was reached
        ([cannot, let_go], nobody),
        ([failed, cannot, rung], waiting),
        ([failed, {**failed, "state": "owed"}], waiting),
    ):
        said = await resident.evaluate(WAITING_WORDS, {"responders": responders, "drill": False})
        assert said[0] == words + advice, responders
        in_a_drill = await resident.evaluate(WAITING_WORDS, {"responders": responders, "drill": True})
        assert in_a_drill[0] == words, "nobody is told to call 110 in a drill"
        assert "110" not in in_a_drill[1]


async def test_the_escalation_fits_every_screen(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=3), PATIENT, PATIENT):
        case = await quiet_village.press(kind="fire")
        await answer(quiet_village, case, "leader", "going")
        pages = resident, neighbour, phone = [
            await people.open(who, PHONE) for who in ("resident", "neighbour", "operator")
        ]
        desk = await people.open("operator", DESK)
        for page in (phone, desk):
            await page.locator(f".list-pane [data-case='{case}']").click()
        await confirmed(desk, "stand-down")
        await asyncio.gather(
            sees(resident, ".next"),
            sees(neighbour, THANKED),
            sees(phone, "[data-stood-down=true]"),
            sees(phone, ".deeds"),
        )
        for page in pages:
            await fits(page)
        assert not await desk.evaluate(SIDEWAYS)
        for page in (phone, desk):
            await page.locator("[data-deed=calls]").click()
            await sees(page, "dialog")
        await fits(phone)


async def test_a_case_goes_to_110_after_a_question_and_the_desk_says_when_nobody_could_be_told(
    people: People, quiet_village: LiveSystem
) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT, PATIENT, calls=TO_110):
        case = await quiet_village.press()
        desk, resident = await at_the_desk(people, case), await people.open("resident")
        await sees(resident, ".next:has-text('已没有更多人可呼叫，请自行拨打110')")
        await desk.locator("[data-deed='hand-over']").click()
        await sees(desk, "dialog:has-text('移交110')")
        assert (await quiet_village.case(case)).handed_over is None, "nothing before the answer"
        await desk.locator("dialog [data-confirm]").click()
        await sees(desk, ".handed-over[role=alert]:has-text('已移交110'):has-text('请立即自行拨打110')")
        await sees(desk, ".gaps li:has-text('请立即自行拨打110')")
        gaps, people_called = [await desk.locator(part).bounding_box() for part in ("[data-gaps]", ".responders")]
        assert gaps is not None
        assert people_called is not None
        assert gaps["y"] + gaps["height"] <= people_called["y"], "before the many who were called"
        await sees(desk, ".timeline li:has-text('移交110')")
        for size in (PHONE, DESK):
            await desk.set_viewport_size(size)
            assert not await desk.evaluate(SIDEWAYS)
        await desk.locator("[data-deed='hand-over']").click()
        await sees(desk, "dialog [role=alert]:has-text('已移交过110')")
        await desk.locator("dialog [data-confirm]").click()
        await sees(desk, "dialog", state="hidden")
        assert (await quiet_village.case(case)).is_open


async def test_the_desk_says_which_channel_follows_and_when(people: People, quiet_village: LiveSystem) -> None:
    roster, who = quiet_village.system.roster, PersonId(quiet_village.subject("neighbour"))
    person = (await roster.people([who]))[who]
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT, PATIENT), receiving() as endpoint:
        points = (WebhookPoint(url=endpoint.url, secret=SECRET), ApprisePoint(url="ntfys://ntfy.example/topic"))
        await roster.put(replace(person, contact_points=points), by="test")
        case = await quiet_village.press()
        desk = await at_the_desk(people, case)
        following = f"[data-responder='{who}'] [data-next=apprise]"
        await sees(desk, f"{following}:has-text('后改用消息应用')")
        await answer(quiet_village, case, "neighbour", "cannot")
        await sees(desk, following, state="hidden")
    await roster.put(person, by="test")
