"""How a call widens, as the desk shows it, and how the operator steers it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from msgspec.structs import replace

from dispatch.cases import CaseDesk, Hold
from dispatch.clock import now
from dispatch.events import Quorum
from dispatch.identifiers import CaseId, CommitId, PersonId
from dispatch.roster import ApprisePoint, WebhookPoint
from tests.browser.people import DESK, PHONE, RINGS, SIDEWAYS, People, sees
from tests.browser.policies import LEADER_NEXT_DOOR, PATIENT, TO_110, agreed
from tests.browser.steering import answer, at_the_desk, chosen, confirmed
from tests.browser.test_layout import fits
from tests.live import LiveSystem
from tests.receivers import receiving
from tests.village import SECRET
from tests.waiting import until

pytestmark = pytest.mark.browser

WAIT = ".escalation .wait .zh"

SOON = 2


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
        await desk.locator("[data-deed='stand-down']").click()
        await sees(desk, "dialog [data-too-few]:has-text('需要2人，只有1人'):has-text('1 of 2')")
        await desk.keyboard.press("Escape")
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


async def test_the_operator_takes_the_pause_back(people: People, quiet_village: LiveSystem) -> None:
    """In the place of the pause stands its end, on the screen of a desk and of a phone, with whose it is."""
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT, PATIENT):
        case = await quiet_village.press()
        desk, resident = await at_the_desk(people, case), await people.open("resident")
        await confirmed(desk, "pause")
        name = quiet_village.subject("operator")
        await sees(desk, f"{WAIT}:has-text('已暂停至'):has-text('（{name}）；'):has-text('后升级')")
        await sees(desk, "[data-deed=pause]", state="hidden")
        for size in (PHONE, DESK):
            await desk.set_viewport_size(size)
            assert not await desk.evaluate(SIDEWAYS)
            await sees(desk, "[data-deed=resume]")
        await confirmed(desk, "resume")
        await sees(desk, f"{WAIT}:has-text('等待应答，'):has-text('后自动升级')")
        assert re.search(r"\d\d分\d+秒后自动升级", await desk.locator(WAIT).inner_text()), (
            "the policy's hour, not 5 min"
        )
        await sees(desk, "[data-deed=pause]")
        await sees(desk, f".timeline li:has-text('继续升级 Resumed · {name}')")
        await sees(resident, ".next:has-text('后将呼叫')")


async def test_a_step_that_fell_due_in_the_pause_is_taken_when_it_ends(
    people: People, quiet_village: LiveSystem
) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), SOON, PATIENT):
        case = await quiet_village.press()
        assert (await quiet_village.call("operator", "POST", f"/v1/cases/{case}/pause", {}))[0] == 200
        desk = await at_the_desk(people, case)
        await until(lambda: over_since(quiet_village, case, SOON), "the step to be overdue")
        await confirmed(desk, "resume")
        await sees(desk, f"[data-responder='{LEADER_NEXT_DOOR}']")
        await sees(desk, ".timeline li:has-text('升级至第2步'):has-text('应答不够')")


async def test_what_a_restore_holds_the_desk_does_not_resume(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT, PATIENT):
        case = await quiet_village.press()
        held = Hold(id=CommitId("restore"), at=now(), until=now() + timedelta(minutes=30))
        await CaseDesk(quiet_village.log).handle(case, held)
        desk = await at_the_desk(people, case)
        await sees(desk, f"{WAIT}:has-text('由备份恢复，暂停至'):has-text('已结束请结案')")
        await sees(desk, "[data-deed=pause][disabled]")
        await sees(desk, "[data-deed=resume]", state="hidden")
        await confirmed(desk, "widen")
        await sees(desk, f"[data-responder='{LEADER_NEXT_DOOR}']")


async def over_since(live: LiveSystem, case: CaseId, seconds: float) -> bool:
    return now() > (await live.case(case)).alarm.at + timedelta(seconds=seconds)


async def test_who_cannot_come_is_rung_again_when_called_by_name(people: People, quiet_village: LiveSystem) -> None:
    async with agreed(quiet_village, Quorum(anyone=2), PATIENT):
        case = await quiet_village.press()
        desk, neighbour = await at_the_desk(people, case), await people.open("neighbour")
        await sees(neighbour, RINGS)
        await neighbour.locator("[data-answer=cannot]").click()
        await sees(neighbour, "[data-stage=recorded]")
        await sees(neighbour, RINGS, state="hidden")

        who = PersonId(quiet_village.subject("neighbour"))
        name = (await quiet_village.system.roster.people([who]))[who].name
        await chosen(desk, f"{name[:2]} 茅州村", who)
        await sees(neighbour, RINGS)
        await neighbour.locator("[data-answer=going]").click()
        await sees(neighbour, RINGS, state="hidden")
        await sees(desk, f"[data-responder='{quiet_village.subject('neighbour')}'][data-answer=going]")


async def test_somebody_whom_nobody_has_called_yet_is_found_and_a_name_that_nobody_has_calls_nobody(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press()
    desk = await at_the_desk(people, case)
    await desk.locator("[data-deed=calls]").click()
    await desk.locator("#responder-search").fill("没有这个人")
    await sees(desk, "dialog .found:has-text('没有找到此人')")
    await desk.locator("dialog [data-confirm]").click()  # nobody is chosen: nothing is sent
    await desk.locator("#responder-search").fill("茅州村二组")  # whom no step has called
    await desk.locator(f".found [value='{LEADER_NEXT_DOOR}']").check()
    await desk.locator("dialog [data-confirm]").click()
    await sees(desk, f".responders [data-responder='{LEADER_NEXT_DOOR}']:has-text('值班员指定')")


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
            sees(neighbour, "[data-stood-down]:has-text('您不用前往，感谢您')"),
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
