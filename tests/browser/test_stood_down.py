"""Who is not needed any more is let go, and may come all the same."""

from __future__ import annotations

import pytest

from dispatch.events import Quorum
from tests.browser.people import PHONE, RINGS, THANKED, People, raised_next_door, sees
from tests.browser.policies import PATIENT, agreed
from tests.browser.steering import answer, at_the_desk, chosen
from tests.live import LiveSystem

pytestmark = pytest.mark.browser

NOT_NEEDED = "[data-stood-down]:has-text('您不用前往，感谢您')"


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
        await answer(quiet_village, case, "police", "going")
        await sees(resident, "[data-few='1/2']")
        await sees(neighbour, ".others li:has-text('前往')")
        assert await neighbour.locator(THANKED).count() == 0, "one of two is going"

        await chosen(desk, me, me)
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
