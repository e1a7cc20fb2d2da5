"""What a called person sees: also when the call came before their page did, or more than one household needs them."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, Request

from dispatch.identifiers import CaseId, PersonId, notification_id
from tests.browser.people import People, raised_next_door, sees
from tests.live import LiveSystem
from tests.waiting import until

pytestmark = pytest.mark.browser

RINGS = "main.ringing .alarm"


async def outcome_of(live: LiveSystem, case: CaseId, who: str) -> str:
    """What is recorded of the call to the page of `who`."""
    return (await live.case(case)).calls[0, PersonId(live.subject(who))].outcomes["live"].outcome


async def test_a_page_that_opens_after_the_call_says_once_that_it_has_arrived(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="help")
    await quiet_village.finished(case)
    assert await outcome_of(quiet_village, case, "neighbour") == "failed"

    page = await people.open("neighbour")
    await sees(page, RINGS)

    async def delivered() -> bool:
        return await outcome_of(quiet_village, case, "neighbour") == "delivered"

    await until(delivered, "the receipt of the page that came late")
    receipts: list[str] = []

    def count(request: Request) -> None:
        if request.url.endswith("/receipt"):
            receipts.append(request.url)

    page.on("request", count)
    await page.reload()
    await sees(page, RINGS)
    assert receipts == [], "what is recorded is not sent again"


async def ring_again(live: LiveSystem, case: CaseId, who: str, page: Page) -> None:
    """Ring the open page of `who` for `case`, as a later call does."""
    person = PersonId(live.subject(who))
    ring = {"notification": notification_id(case, person), "case": case}
    subject = f"live.{live.log.site}.ring.{person}"
    answer = await live.system.nc.request(subject, json.dumps(ring).encode(), timeout=5)
    assert json.loads(answer.data) == {"outcome": "delivered"}
    await sees(page, RINGS)


async def test_a_new_ring_sounds_again_while_there_is_no_answer(people: People, quiet_village: LiveSystem) -> None:
    people.excuse("403|Failed to load resource")
    page = await people.open("neighbour")
    case = await quiet_village.press(kind="help")
    await sees(page, RINGS)
    await page.route("**/replies", lambda route: route.fulfill(status=403, json={"detail": "no"}))
    await page.locator("[data-answer=going]").click()
    await sees(page, "[data-stage=failed]")
    await sees(page, RINGS, state="hidden")

    await ring_again(quiet_village, case, "neighbour", page)
    await page.locator(".slot .button:has-text('停止响铃')").click()
    await sees(page, RINGS, state="hidden")
    await sees(page, "[data-stage=failed]")  # that is still so

    await page.unroute("**/replies")
    await page.route("**/replies", lambda route: route.fulfill(status=503, json={}))
    people.excuse("503")
    await page.locator("[data-answer=cannot]").click()
    await sees(page, "[data-stage=retrying]")
    await ring_again(quiet_village, case, "neighbour", page)
    await page.unroute("**/replies")
    await sees(page, RINGS, state="hidden")
    await sees(page, "[data-stage=recorded]")


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


@pytest.mark.usefixtures("quiet_village")
async def test_a_page_that_cannot_ring_yet_says_so_and_does_not_say_that_it_rings(people: People) -> None:
    page = await people.open("neighbour")
    off = ".idle [data-switch=sound]:has-text('铃声未打开'):has-text('The ring is OFF')"
    await sees(page, off)
    amber = "(key) => getComputedStyle(key).backgroundColor"
    assert await page.locator(off).evaluate(amber) == "rgb(255, 185, 56)"
    rings = ".idle :text('本页会响铃')"
    assert await page.locator(rings).count() == 0
    await page.locator(off).click()
    await sees(page, ".switches .on:has-text('铃声已打开')")
    await sees(page, rings)
    await sees(page, off, state="hidden")


async def test_after_going_the_key_for_being_there_is_the_largest_and_after_that_the_rest_is_small(
    people: People, quiet_village: LiveSystem
) -> None:
    await quiet_village.press(kind="fire")
    page = await people.open("neighbour")
    sizes = """() => Object.fromEntries([...document.querySelectorAll(".answers .button")].map((key) => {
      const { width, height } = key.getBoundingClientRect();
      return [key.dataset.answer ?? key.dataset.eta, width * height];
    }))"""
    await page.locator("[data-eta='5']").click()
    await sees(page, "[data-stage=recorded]:has-text('应答已记录：前往 5分钟')")
    after_going = await page.evaluate(sizes)
    assert max(after_going, key=after_going.get) == "on_scene"
    ticked = "(key) => getComputedStyle(key, '::before').content"
    assert await page.locator("[data-answer=going]").evaluate(ticked) == '"✓"'

    await page.locator("[data-answer=on_scene]").click()
    await sees(page, "[data-stage=recorded]:has-text('应答已记录：已到场')")
    await page.locator("[data-eta='5']").wait_for(state="hidden")  # once the case itself says it
    after_arrival = await page.evaluate(sizes)
    assert all(after_arrival[key] <= after_going[key] for key in ("going", "cannot"))
    assert await page.locator("[data-answer=on_scene]").evaluate(ticked) == '"✓"'
    assert await page.locator("[data-answer=going]").evaluate(ticked) == "none"


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
