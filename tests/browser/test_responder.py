"""What a called person sees: also when the call came before their page did, or more than one household needs them."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, Request

from dispatch.identifiers import CaseId, HouseholdId, PersonId, notification_id
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
    await sees(page, ".answers[data-given=going]")  # once the case itself says it
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


# How many other cases were on the page each time that the answer keys began to rest.
RESTED = """() => {
  const keys = document.querySelector(".answers"), others = () => document.querySelectorAll("[data-other]").length;
  const look = () => keys.classList.contains("resting") && window.rested.push(others());
  window.rested = [];
  new MutationObserver(look).observe(keys, { attributes: true });
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


async def test_that_nobody_needs_to_come_is_not_said_beside_a_new_alarm_of_the_same_home(
    people: People, quiet_village: LiveSystem
) -> None:
    page = await people.open("neighbour")
    case = await quiet_village.press(kind="help")
    await sees(page, RINGS)
    await quiet_village.close(case)
    await sees(page, f"[data-over='{case}']:has-text('警情已解除')")
    await quiet_village.press(kind="help")
    await sees(page, RINGS)
    await sees(page, f"[data-over='{case}']", state="hidden")


async def test_a_drill_hides_from_nobody_that_what_was_in_earnest_there_is_over(
    people: People, quiet_village: LiveSystem
) -> None:
    page = await people.open("neighbour")
    case = await quiet_village.press(kind="fire")
    await sees(page, RINGS)
    await quiet_village.close(case)
    over = f"[data-over='{case}']:has-text('警情已解除，不用再前往')"
    await sees(page, over)
    await quiet_village.press(kind="fire", drill=True)
    await sees(page, "main.ringing > .banner.drill")
    assert await page.locator(over).is_visible(), "whoever is on the way still reads it"


HOW_IT_ENDED = """async ([view, known, me]) => {
  const { isNeeded, overWords } = await import("/static/responder/over.js");
  const cases = new Map(known.map((one) => [one.id, one]));
  const mine = (one) => one.responders.find(({ id }) => id === me);
  return isNeeded(view, known.filter((one) => !one.closing), mine) ? null : overWords(view, cases)[0];
}"""


def of_one_home(case: str, *, over: bool = False, stood_down: bool = False, **more: object) -> dict[str, object]:
    """A case as the page has it."""
    me = {"id": "me", "answer": None, "stood_down": stood_down}
    closing = {"resolution": "other"} if over else None
    shown = {"id": case, "household": {"id": "h-1"}, "responders": [me], "closing": closing, "drill": False}
    return {**shown, "status": "resolved" if over else "raised", "duress": False, "beside": None, **more}


@pytest.mark.usefixtures("quiet_village")
async def test_that_nobody_needs_to_come_is_said_where_it_is_known(people: People) -> None:
    page = await people.open("neighbour")
    first, second = of_one_home("c-1", over=True), of_one_home("c-2", over=True, duress=True, beside="c-1")
    elsewhere = {**of_one_home("c-2"), "household": {"id": "h-2"}}
    for_others = {**of_one_home("c-2"), "responders": []}
    for view, others, words in (
        (first, [], "警情已解除，不用再前往"),
        (first, [of_one_home("c-2")], None),
        (first, [elsewhere], "警情已解除，不用再前往"),
        (first, [for_others], "警情已解除，不用再前往"),
        (first, [of_one_home("c-2", stood_down=True)], "警情已解除，不用再前往"),
        (first, [of_one_home("c-2", stood_down=True, duress=True)], None),
        (first, [of_one_home("c-2", drill=True)], "警情已解除，不用再前往"),
        (of_one_home("c-1", over=True, drill=True), [of_one_home("c-2")], None),
        (second, [of_one_home("c-1", duress=True)], None),
        (second, [first], "警情已解除，不用再前往"),
        (second, [], "本次警情已结束"),  # they were not called for the one under duress, which may go on
    ):
        assert await page.evaluate(HOW_IT_ENDED, [view, [view, *others], "me"]) == words, others
