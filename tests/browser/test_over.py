"""When a called person reads that nobody needs to come, and when that is not said."""

from __future__ import annotations

import pytest

from dispatch.identifiers import CaseId
from tests.browser.people import NEXT_DOOR, RINGS, People, sees
from tests.live import LiveSystem

pytestmark = pytest.mark.browser


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


async def test_of_what_is_over_the_newest_is_seen_and_the_others_when_asked_for(
    people: People, quiet_village: LiveSystem
) -> None:
    page = await people.open("neighbour")
    cases: list[CaseId] = []
    for _ in range(3):
        cases.append(await quiet_village.press_at(NEXT_DOOR))
        await sees(page, RINGS)
        await quiet_village.close(cases[-1])
        await sees(page, f"main > [data-over='{cases[-1]}']")
    assert await page.locator("[data-over]").filter(visible=True).count() == 1
    folded = await page.locator("details [data-over]").count()
    assert folded >= 2, "and those of the stories before"
    await page.locator(f"summary:has-text('另有{folded}起已结束'):has-text('and {folded} more')").click()
    for case in cases[:2]:
        await sees(page, f"[data-over='{case}']")
    await page.locator(f"[data-over='{cases[0]}'] .button").click()
    await sees(page, f"[data-over='{cases[0]}']", state="hidden")
    await sees(page, f"[data-over='{cases[1]}']")


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


async def test_an_alarm_in_earnest_where_a_drill_was_answered_says_that_the_drill_is_over(
    people: People, quiet_village: LiveSystem
) -> None:
    page = await people.open("neighbour")
    await quiet_village.press(kind="fire", drill=True)
    await sees(page, "p[role=alert]:has-text('演练，请应答'):not(:has-text('有人求助'))")
    await page.locator("[data-answer=going]:enabled").click()
    await sees(page, "[data-stage=recorded]")
    await quiet_village.press(kind="fire")
    await sees(page, f"{RINGS}:has-text('火警')")
    await sees(page, "[data-after-drill]:has-text('演练已结束，这是真实警情'):has-text('this is REAL')")
    assert await page.locator("main > .banner.drill").count() == 0


FOLLOWS_DRILL = """async ([view, closed]) => {
  const { followsDrill } = await import("/static/responder/over.js");
  return followsDrill(view, closed);
}"""


@pytest.mark.usefixtures("quiet_village")
async def test_that_a_drill_is_over_is_said_where_it_was_and_of_nothing_but_alarms_in_earnest(people: People) -> None:
    page = await people.open("neighbour")
    drill = of_one_home("c-1", over=True, drill=True)
    elsewhere = {**drill, "household": {"id": "h-2"}}
    for view, closed, follows in (
        (of_one_home("c-2"), [drill], True),
        (of_one_home("c-2"), [elsewhere], False),
        (of_one_home("c-2"), [of_one_home("c-1", over=True)], False),
        (of_one_home("c-2", drill=True), [drill], False),
    ):
        assert await page.evaluate(FOLLOWS_DRILL, [view, closed]) == follows, closed


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
