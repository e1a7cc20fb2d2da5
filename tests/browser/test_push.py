"""A push that reaches the page's service worker becomes a notification that can be answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, Worker

from dispatch.fanout.ring import Ring, make_ring, scene_of
from dispatch.identifiers import CaseId, PersonId
from tests.browser.conftest import WHOLE, launched
from tests.browser.people import People
from tests.live import LiveSystem
from tests.phones import Phone
from tests.waiting import until

pytestmark = pytest.mark.browser

IN_TURN = """() => {
  if (self.turn) return;
  self.turn = Promise.resolve();
  self.inTurn = (work) => { self.turn = self.turn.then(work, work); return self.turn; };
  const show = registration.showNotification.bind(registration);
  registration.showNotification = (...what) => inTurn(() => show(...what));
}"""
"""Chromium forgets a notification that it is asked for while it is being shown, so the two take turns."""

SHOWN = """() => inTurn(() => registration.getNotifications()).then((shown) =>
  shown.map(({ title, body, tag, actions, requireInteraction }) => ({
    title, body, tag, requireInteraction, actions: actions.map((one) => one.action) })))"""


TAP = """([tag, action]) => inTurn(() => registration.getNotifications({ tag })).then(([notification]) => {
  dispatchEvent(new NotificationEvent("notificationclick", { notification, action }));
})"""
"""A tap on a button of a notification, as the browser tells its worker of it."""


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """A whole Chromium: without windows it shows no notifications."""
    async with launched(*WHOLE) as browser:
        yield browser


async def ring_for(live: LiveSystem, case: CaseId, person: str) -> Ring:
    """What the fan-out sends to `person` for `case`."""
    known = await live.case(case)
    roster, home = live.system.roster, await live.system.roster.household(live.household)
    scene = scene_of(known, home, await roster.areas(known.alarm.areas))
    return make_ring(known, known.calls[0, PersonId(person)], scene, live.url + await live.one_tap(case, person))


async def deliver(page: Page, body: bytes) -> Worker:
    """Hand a decrypted push to the page's service worker, as the browser's push service would."""
    devtools = await page.context.new_cdp_session(page)
    registrations: list[dict[str, Any]] = []
    devtools.on("ServiceWorker.workerRegistrationUpdated", lambda event: registrations.extend(event["registrations"]))
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await devtools.send("ServiceWorker.enable")

    async def found() -> str | None:
        return next((str(one["registrationId"]) for one in registrations if page.url.startswith(one["scopeURL"])), None)

    registration = await until(found, "the service worker's registration")
    worker = next(worker for worker in page.context.service_workers if worker.url.endswith("/sw.js"))
    await worker.evaluate(IN_TURN)
    origin = await page.evaluate("location.origin")
    await devtools.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": origin, "registrationId": registration, "data": body.decode()},
    )
    return worker


async def notification(worker: Worker, title_part: str) -> dict[str, Any]:
    async def shown() -> dict[str, Any] | None:
        return next((one for one in await worker.evaluate(SHOWN) if title_part in one["title"]), None)

    return await until(shown, f"a notification with {title_part!r}")


@pytest.fixture
async def pushed_case(live_system: LiveSystem) -> AsyncIterator[CaseId]:
    """A case for which the community police officer is called over Web Push too."""
    officer, roster = PersonId(live_system.subject("police")), live_system.system.roster
    before = (await roster.people([officer]))[officer]
    point = Phone().subscription("https://127.0.0.1/push")  # refused, for it is not public: the test hands over pushes
    await roster.put(replace(before, contact_points=(point,)), by="test")
    raised = await live_system.press(kind="medical")
    yield raised
    await live_system.close(raised)
    await roster.put(before, by="test")


async def test_a_push_is_shown_with_its_answers_and_its_receipt_is_recorded(
    people: People, live_system: LiveSystem, pushed_case: CaseId
) -> None:
    case, person = pushed_case, live_system.subject("police")
    page = await people.open("police")
    ring = await ring_for(live_system, case, person)
    worker = await deliver(page, msgspec.json.encode(ring))
    shown = await notification(worker, ring.title)
    assert shown == {
        "title": ring.title, "body": ring.body, "tag": ring.notification,
        "actions": ["going", "cannot"], "requireInteraction": True,
    }  # fmt: skip

    async def delivered() -> bool:
        outcomes = (await live_system.case(case)).calls[0, PersonId(person)].outcomes
        return "webpush" in outcomes and outcomes["webpush"].outcome == "delivered"

    await until(delivered, "the receipt of the push")


async def test_an_answer_on_the_notification_is_recorded_and_said_to_be(
    people: People, live_system: LiveSystem, case: CaseId
) -> None:
    person = live_system.subject("police")
    page = await people.open("police")
    ring = await ring_for(live_system, case, person)
    worker = await deliver(page, msgspec.json.encode(ring))
    await notification(worker, ring.title)
    await worker.evaluate(
        "([link, tag]) => answer({ link: linkOf({ link }), notification: tag }, 'going')",
        [ring.link, ring.notification],
    )
    await notification(worker, "已记录：前往")
    assert (await live_system.case(case)).replies[PersonId(person)].answer == "going"


@pytest.mark.parametrize("action", ["going", "cannot"])
async def test_a_tap_on_the_notification_s_button_is_recorded_as_that_answer(
    people: People, live_system: LiveSystem, case: CaseId, action: str
) -> None:
    person = PersonId(live_system.subject("police"))
    page = await people.open("police")
    ring = await ring_for(live_system, case, person)
    worker = await deliver(page, msgspec.json.encode(ring))
    await notification(worker, ring.title)
    await worker.evaluate(TAP, [ring.notification, action])

    async def answered() -> str | None:
        reply = (await live_system.case(case)).replies.get(person)
        return reply.answer if reply else None

    assert await until(answered, "the answer of the tap") == action
    await notification(worker, "已记录")


async def test_an_answer_that_is_not_recorded_says_so(people: People, live_system: LiveSystem, case: CaseId) -> None:
    people.excuse("401|Failed to load resource")
    page = await people.open("police")
    ring = await ring_for(live_system, case, live_system.subject("police"))
    worker = await deliver(page, msgspec.json.encode(ring))
    await notification(worker, ring.title)
    await worker.evaluate("(tag) => answer({ link: '/r/forged', notification: tag }, 'going')", ring.notification)
    failed = await notification(worker, "NOT recorded")
    assert failed["requireInteraction"]


async def test_an_answer_to_what_is_over_is_told_so_and_that_another_call_still_stands(
    people: People, quiet_village: LiveSystem
) -> None:
    people.excuse("409|Failed to load resource")
    case = await quiet_village.press(kind="help")
    page = await people.open("police")
    ring = await ring_for(quiet_village, case, quiet_village.subject("police"))
    worker = await deliver(page, msgspec.json.encode(ring))
    await notification(worker, ring.title)
    await quiet_village.close(case)
    await worker.evaluate(TAP, [ring.notification, "cannot"])
    over = await notification(worker, "这起警情已结束")
    assert "如另有呼叫，以那次呼叫为准" in over["title"]


async def test_a_push_that_cannot_be_read_still_calls(people: People, live_system: LiveSystem) -> None:
    page = await people.open("police")
    worker = await deliver(page, b"\x7f not JSON")
    await notification(worker, "有人求助")
    await deliver(page, json.dumps({"title": "警情", "link": "https://evil.example/steal"}).encode())
    assert (await notification(worker, "警情"))["actions"] == [], "an answer is never sent anywhere but home"
    assert live_system.url in page.url
