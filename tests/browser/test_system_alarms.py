"""What is wrong with the system itself, on the desk: the whole before each case, and never more than can be read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import ViewportSize

from dispatch.clock import now
from dispatch.events import Incident, IncidentBook
from tests.browser.people import SIDEWAYS, People, sees
from tests.live import LiveSystem

pytestmark = pytest.mark.browser

CASES, SHOWN = 9, 4
SIZES: dict[str, ViewportSize] = {"desk": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
async def book(live_system: LiveSystem) -> AsyncIterator[IncidentBook]:
    """Where the watchdog writes incidents down; empty again afterwards."""
    given = IncidentBook(live_system.system.nc, live_system.system.settings.site)
    yield given
    for name in await given.told():
        await given.over(name)


def of_a_case(number: int) -> Incident:
    """A case of another area, as far as this operator knows: they are told no name."""
    what = f"h-00{number:02}-STORM{number:03}"
    return Incident(kind="owed", what=what, since=now(), detail="13 人的呼叫没有结果 / 13 people")


def of_all() -> Incident:
    detail = f"首次呼叫等待中：{CASES} 起警情 117 人 / first rings waiting: 117 people in {CASES} cases"
    return Incident(kind="backlog", what="first-rings", since=now(), detail=detail)


@pytest.mark.parametrize("size", SIZES)
async def test_a_storm_is_one_line_that_is_read_at_once_and_goes_away_by_itself(
    size: str, people: People, book: IncidentBook
) -> None:
    desk = await people.open("operator", SIZES[size])
    for number in range(CASES):
        await book.tell(of_a_case(number))
        shown = min(number + 1, SHOWN)
        await sees(desk, f":nth-match([data-incident=owed], {shown})")
    await book.tell(of_all())
    await sees(desk, "[data-incident=backlog]")
    await sees(
        desk, "[data-incident=backlog]:has-text('请先为最急的警情打电话'):has-text('telephone for the most urgent')"
    )
    assert "117" in await desk.locator(".banner.bad").first.inner_text(), "before what is said of each case"
    await sees(desk, f"[data-more-incidents='{CASES + 1 - SHOWN}']")
    assert await desk.locator("[data-incident]").count() == SHOWN
    assert not await desk.evaluate(SIDEWAYS)
    await book.over("backlog.first-rings")
    await sees(desk, "[data-incident=backlog]", state="hidden")
    for number in range(CASES):
        await book.over(of_a_case(number).name)
    await sees(desk, "[data-incident]", state="hidden")
    await sees(desk, ".banner.bad", state="hidden")
