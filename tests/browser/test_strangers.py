"""A device that nobody signed in, or that the roster does not know: it never says that all is well."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page

from dispatch.access import TokenRole, Tokens
from tests.browser.people import PHONE, RINGS, SMALL_PHONE, People, sees
from tests.browser.test_layout import fits
from tests.live import LiveSystem

pytestmark = pytest.mark.browser

IS_BAD = "[role=alert]:has-text('拨打110')"


async def stranger(people: People, live: LiveSystem, role: TokenRole, subject: str) -> Page:
    """The page of somebody whose token was made before they left the roster."""
    return (await signed_in(people, live, role, subject))[0]


async def signed_in(people: People, live: LiveSystem, role: TokenRole, subject: str) -> tuple[Page, str]:
    """The page of `subject`, and the id of the token made for it."""
    issued = await Tokens(live.system.nc, live.system.settings.site).issue(role, subject)
    page = await people.blank(PHONE)
    await page.goto(f"/in#{issued.secret}")
    await page.wait_for_url(re.compile(rf"/{subject}$"))
    return page, issued.token_id


@pytest.mark.parametrize("path", ["/resident/h-0002", "/resident/h-9999", "/responder/p-0003"])
async def test_a_device_that_is_not_signed_in_says_so_and_what_to_do(people: People, path: str) -> None:
    page = await people.blank(PHONE)
    await page.goto(path)
    await sees(page, f"{IS_BAD}:has-text('本机没有登录')")
    await sees(page, "a.danger[href='tel:110']")


async def test_a_wrong_address_leads_to_the_start_page_and_to_110(people: People) -> None:
    people.excuse("404")
    page = await people.blank(SMALL_PHONE)
    await page.goto("/resident")
    await sees(page, "h1:has-text('没有这个网页'):has-text('There is no such page')")
    await sees(page, "a.danger[href='tel:110']")
    await fits(page)
    await page.locator("a.main").click()
    await sees(page, ".sign-in form")


async def test_a_household_that_is_not_in_the_roster_is_never_ready(people: People, live_system: LiveSystem) -> None:
    page = await stranger(people, live_system, "device", "h-9999")
    await sees(page, f"{IS_BAD}:has-text('这户没有登记')")
    await sees(page, "a.danger[href='tel:110']")
    await sees(page, ".ready.off:has-text('未登记')")


async def test_a_person_who_is_not_in_the_roster_does_not_stand_by(people: People, live_system: LiveSystem) -> None:
    page = await stranger(people, live_system, "responder", "p-9999")
    await sees(page, f"{IS_BAD}:has-text('您没有登记')")
    await sees(page, ".idle:has-text('现在收不到呼叫')")


async def test_a_phone_whose_token_is_revoked_shows_nothing_of_any_home_any_more(
    people: People, quiet_village: LiveSystem
) -> None:
    people.excuse("401|ERR_")
    neighbour, of_neighbour = await signed_in(people, quiet_village, "responder", quiet_village.subject("neighbour"))
    resident, of_resident = await signed_in(people, quiet_village, "device", quiet_village.household)
    desk, of_desk = await signed_in(people, quiet_village, "operator", "somebody")
    await quiet_village.press(kind="fire")
    await sees(neighbour, RINGS)
    await sees(desk, ".rows [data-case]")
    address = str(await neighbour.locator(".alarm-address").text_content())
    await sees(resident, "[data-case]")
    for token in (of_neighbour, of_resident, of_desk):
        await quiet_village.system.tokens.revoke(token)
    shows = ((neighbour, ".alarm, .answers, .others"), (resident, "[data-case], .people"), (desk, ".rows, .case-pane"))
    for page, shown in shows:
        await sees(page, "[role=alert]:has-text('登录已失效 You are signed out')")
        await page.locator(shown).first.wait_for(state="hidden")
        assert address not in await page.locator("body").inner_text()
