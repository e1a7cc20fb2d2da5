"""What the one who pressed reads of what happens next, and of whether anybody can come."""

from __future__ import annotations

import pytest

from dispatch.events import Quorum
from tests.browser.people import People, sees
from tests.browser.policies import PATIENT, TO_110, agreed
from tests.browser.steering import answer, at_the_desk
from tests.live import LiveSystem

pytestmark = pytest.mark.browser


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
