"""What a called person sees of one alarm: that it rings, also when it came before their page did, and their answer."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, Request

from dispatch.identifiers import CaseId, PersonId, notification_id
from tests.browser.people import RINGS, People, sees
from tests.live import LiveSystem
from tests.waiting import until

pytestmark = pytest.mark.browser


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
    await sees(page, ".answers[data-given=none]")
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


async def test_of_the_others_those_who_come_stand_first(people: People, quiet_village: LiveSystem) -> None:
    case = await quiet_village.press(kind="fire")
    page = await people.open("neighbour")
    came: list[str] = []
    for who, given in (
        ("leader", {"answer": "cannot"}),
        ("auxiliary", {"answer": "going", "eta_minutes": 10}),
        ("police", {"answer": "on_scene"}),
    ):
        came.insert(0, quiet_village.subject(who))
        assert (await quiet_village.call(who, "POST", f"/v1/cases/{case}/replies", given))[0] == 200
        await sees(page, f".others [data-responder='{came[0]}']")
    shown = "[...document.querySelectorAll('.others li')].map((one) => one.dataset.responder)"
    assert await page.evaluate(shown) == came


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
    await page.locator("[data-eta='15']").click()
    await sees(page, "[data-stage=recorded]:has-text('应答已记录：前往 15分钟')")
    await sees(page, ".answers[data-given=going]")  # once the case itself says it
    heights = "[...document.querySelectorAll('.eta-key .zh')].map((words) => words.offsetHeight)"
    assert len(set(await page.evaluate(heights))) == 1, "the one that was chosen stands on one line, too"
    after_going = await page.evaluate(sizes)
    assert max(after_going, key=after_going.get) == "on_scene"
    ticked = "(key) => getComputedStyle(key, '::before').content"
    assert await page.locator("[data-answer=going]").evaluate(ticked) == '"✓"'

    await page.locator("[data-answer=on_scene]").click()
    await sees(page, "[data-stage=recorded]:has-text('应答已记录：已到场')")
    await sees(page, ".answers[data-given=on_scene]")
    await page.locator("[data-eta='5']").wait_for(state="hidden")
    after_arrival = await page.evaluate(sizes)
    assert all(after_arrival[key] <= after_going[key] for key in ("going", "cannot"))
    assert await page.locator("[data-answer=on_scene]").evaluate(ticked) == '"✓"'
    assert await page.locator("[data-answer=going]").evaluate(ticked) == "none"


# The stream is behind: what it tells of cases waits for `catchUp()`, and a snapshot is the first once more.
BEHIND = """() => {
  const { addEventListener: listen } = EventSource.prototype, held = [];
  window.catchUp = () => { window.behind = false; held.splice(0).forEach((tell) => tell()); };
  EventSource.prototype.addEventListener = function (name, take) {
    listen.call(this, name, (event) => {
      if (name === "snapshot") window.first ??= event;
      if (name === "snapshot") window.beginAnew = () => take(window.first);
      if (name === "case" && window.behind) held.push(() => take(event));
      else take(name === "snapshot" && window.behind ? window.first : event);
    });
  };
}"""

SHOWN_SINCE = """() => {
  const keys = document.querySelector(".answers"), look = () => window.given.push(keys.dataset.given);
  window.given = [];
  new MutationObserver(look).observe(keys, { attributes: true });
}"""


async def test_what_was_accepted_is_on_the_keys_at_once_and_nothing_older_comes_back(
    people: People, quiet_village: LiveSystem
) -> None:
    case = await quiet_village.press(kind="fire")
    replies = f"/v1/cases/{case}/replies"
    assert (await quiet_village.call("neighbour", "POST", replies, {"answer": "going"}))[0] == 200
    page = await people.open("neighbour")
    await page.add_init_script(f"({BEHIND})()")
    await page.reload()
    await sees(page, ".answers[data-given=going]")

    await page.evaluate("window.behind = true")
    await page.locator("[data-answer=on_scene]:enabled").click()
    await sees(page, "[data-stage=recorded]:has-text('已到场')")
    await sees(page, ".answers[data-given=on_scene]")
    await page.locator("[data-answer=cannot]:enabled").click()
    await sees(page, "[data-stage=recorded]:has-text('无法前往')")
    await sees(page, ".answers[data-given=cannot]")

    await page.evaluate(SHOWN_SINCE)
    for tell in ("beginAnew()", "catchUp()"):
        await page.evaluate(
            f"new Promise((drawn) => {{ {tell}; setTimeout(drawn, 50); }})"
        )  # after the page's own timer
    assert set(await page.evaluate("window.given")) <= {"cannot"}
    newer = {"answer": "going", "eta_minutes": 15, "responder": quiet_village.subject("neighbour")}
    assert (await quiet_village.call("operator", "POST", replies, newer))[0] == 200
    await sees(page, ".answers[data-given=going] [data-eta='15'][aria-pressed=true]")
