"""More than one alarm at a time, as a called person sees it: which is shown, and no key that moves under a finger."""

from __future__ import annotations

import pytest

from dispatch.identifiers import CaseId, HouseholdId, PersonId
from tests.browser.people import RINGS, People, raised_next_door, sees
from tests.live import LiveSystem
from tests.waiting import until

pytestmark = pytest.mark.browser

# A tap on the key as soon as the case that `begin` brings is on the page, before anybody can have read it.
TAPPED_AT_ONCE = """([kind, begin]) => { window.tapped = new Promise((done) => {
  const look = () => {
    const key = document.querySelector("[data-answer=going]");
    if (!key || !document.querySelector(".alarm-kind").textContent.includes(kind)) return;
    watch.disconnect();
    key.click();
    done([key.disabled, Number(getComputedStyle(key).opacity) < 1]);
  };
  const watch = new MutationObserver(look);
  watch.observe(document.getElementById("page"), { childList: true, subtree: true, characterData: true });
  if (begin) document.querySelector(begin).click();
}); }"""


async def test_a_drill_stands_behind_an_alarm_in_earnest(people: People, quiet_village: LiveSystem) -> None:
    page = await people.open("neighbour")
    await quiet_village.press(kind="fire")
    async with raised_next_door(quiet_village, kind="medical", drill=True):
        await sees(page, ".cases .button:only-child:has-text('演练')")
        await sees(page, ".alarm-kind:has-text('火警')")

        await page.locator("[data-answer=going]").click()  # a drill does not push itself before it then either
        await sees(page, "[data-stage=recorded]")
        await sees(page, ".cases .button:only-child:has-text('演练')")
        await sees(page, ".alarm-kind:has-text('火警')")
        assert await page.locator("main > .banner.drill").count() == 0


async def test_a_drill_that_was_answered_or_opened_gives_way_to_an_alarm_in_earnest_that_calls_after_that(
    people: People, quiet_village: LiveSystem
) -> None:
    page = await people.open("neighbour")
    drill = await quiet_village.press(kind="fire", drill=True)
    await sees(page, f"{RINGS}:has-text('火警')")
    await page.locator("[data-answer=going]").click()
    await sees(page, "[data-stage=recorded]")
    await page.evaluate(TAPPED_AT_ONCE, ["急病", None])
    async with raised_next_door(quiet_village, kind="medical") as medical:
        await sees(page, f"{RINGS}:has-text('急病')")
        assert await page.evaluate("window.tapped") == [True, True], "a second tap is none for the alarm"
        assert await page.locator("main > .banner.drill").count() == 0

        await page.locator(f"[data-other='{drill}']").click()  # whoever opens it over that alarm may look at it
        await sees(page, "main > .banner.drill")
        asked = {"responder": quiet_village.subject("neighbour")}
        assert (await quiet_village.call("operator", "POST", f"/v1/cases/{medical}/calls", asked))[0] == 200
        await sees(page, f"{RINGS}:has-text('急病')")


async def test_after_an_answer_the_page_stays_and_another_alarm_is_opened_by_a_tap(
    people: People, quiet_village: LiveSystem
) -> None:
    him = PersonId(quiet_village.subject("neighbour"))
    page = await people.open("neighbour")
    fire = await quiet_village.press(kind="fire")
    await sees(page, RINGS)
    async with raised_next_door(quiet_village, kind="medical") as medical:
        card = f".cases [data-other='{medical}']"
        await sees(page, f"{card}.another:has-text('另一起警情'):has-text('ANOTHER alarm'):has-text('急病')")
        await sees(page, ".alarm-kind:has-text('火警')")  # no key gets another household under a finger
        await page.locator("[data-answer=going]").click()
        await sees(page, "[data-stage=recorded]:has-text('应答已记录')")
        await page.locator("[data-answer=going]").click()  # enabled again, and still the same household's
        await sees(page, ".alarm-kind:has-text('火警')")
        await sees(page, f"{card}.another")

        await page.evaluate(TAPPED_AT_ONCE, ["急病", card])
        assert await page.evaluate("window.tapped") == [True, True], "it does nothing, and looks like it"
        await sees(page, "main.ringing .alarm:has-text('急病')")
        await page.locator("[data-answer=cannot]").click()
        await sees(page, "[data-stage=recorded]")
        await sees(page, f".cases [data-other='{fire}']:not(.another):has-text('前往')")
        asked = {"responder": him}
        assert (await quiet_village.call("operator", "POST", f"/v1/cases/{fire}/calls", asked))[0] == 200
        await sees(page, f".cases [data-other='{fire}'].another:has-text('再次呼叫您'):not(:has-text('另一起'))")
        assert (await quiet_village.case(medical)).replies[him].answer == "cannot"
        assert (await quiet_village.case(fire)).replies[him].answer == "going"


async def test_the_keys_rest_when_an_alarm_comes_while_nothing_was_on_the_page(
    people: People, quiet_village: LiveSystem
) -> None:
    page = await people.open("neighbour")
    await page.evaluate(TAPPED_AT_ONCE, ["火警", None])
    case = await quiet_village.press(kind="fire")
    assert await page.evaluate("window.tapped") == [True, True]
    await sees(page, "[data-answer=going]:enabled")
    assert (await quiet_village.case(case)).replies == {}


async def test_an_alarm_that_comes_while_another_is_answered_is_seen_and_rings_at_once(
    people: People, quiet_village: LiveSystem
) -> None:
    page = await people.open("neighbour")
    await quiet_village.press(kind="fire")
    await sees(page, RINGS)
    await page.locator("[data-answer=on_scene]").click()  # the sound may play from now on
    await sees(page, "[data-stage=recorded]")
    await page.evaluate(
        """() => {
             window.tones = 0;
             const { start } = OscillatorNode.prototype;
             OscillatorNode.prototype.start = function (...when) { window.tones += 1; return start.apply(this, when); };
             scrollTo(0, document.body.scrollHeight);
           }"""
    )
    async with raised_next_door(quiet_village, kind="medical") as medical:
        card = page.locator(f".cases [data-other='{medical}'].another")
        await card.wait_for()
        await page.wait_for_function("window.tones > 0")
        box = await card.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 740, "also for somebody who has scrolled"
        await sees(page, ".alarm-kind:has-text('火警')")


# How many other cases were on the page each time that the answer keys began to rest.
RESTED = """() => {
  const keys = document.querySelector(".answers"), others = () => document.querySelectorAll("[data-other]").length;
  const look = () => keys.classList.contains("resting") && window.rested.push(others());
  window.rested = [];
  new MutationObserver(look).observe(keys, { attributes: true });
}"""

# How many of the other cases cannot be read whole.
CUT_OFF = """() => {
  const box = (one) => one.getBoundingClientRect(), { top } = box(document.querySelector(".how-many"));
  return [...document.querySelectorAll("[data-other]")].filter((one) => box(one).bottom > top).length;
}"""

ON_TOP = """(key) => {
  const { x, y, width, height } = key.getBoundingClientRect();
  return [x, y, key.contains(document.elementFromPoint(x + width / 2, y + height / 2))];
}"""


async def test_in_a_storm_the_answer_keys_stay_where_they_are_and_can_be_used(
    people: People, quiet_village: LiveSystem
) -> None:
    page = await people.open("auxiliary")
    await quiet_village.press(kind="fire")
    key = page.locator("[data-answer=going]")
    await sees(page, "[data-answer=going]:enabled")
    await page.evaluate(RESTED)
    others: list[CaseId] = []

    async def another(household: str) -> None:
        others.append(await quiet_village.press_at(HouseholdId(household)))
        await sees(page, f"[data-other='{others[-1]}']")

    try:
        for household in ("h-0001", "h-0003", "h-0004"):
            await another(household)
            await sees(page, "[data-answer=going]:disabled")  # they have moved
            await sees(page, "[data-answer=going]:enabled")
        await sees(page, ".how-many:has-text('另有3起'):has-text('3 others: scroll')")
        assert await page.evaluate(CUT_OFF) == 1, "two others stand there whole, the third is scrolled to"
        where = await key.evaluate(ON_TOP)
        await page.evaluate("document.querySelector('.cases').scrollTo(0, 1000)")
        for household in ("h-0005", "h-0006", "h-0007", "h-0008"):
            await another(household)

        async def newest_in_sight() -> bool:
            return bool(await page.evaluate("document.querySelector('.cases').scrollTop === 0"))

        await until(newest_in_sight, "the newest alarm to be scrolled to")
        assert await page.evaluate("window.rested") == [1, 2, 3]
        assert await key.evaluate(ON_TOP) == where
        assert where[-1], "no other case lies over it"
    finally:
        for case in others:
            await quiet_village.close(case)
