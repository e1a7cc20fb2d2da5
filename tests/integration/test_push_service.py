"""Web Push over a push service that nobody here wrote: web-push-testing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from dispatch.access import load_keys
from dispatch.identifiers import PersonId, notification_id
from dispatch.settings import Settings
from tests.node_packages import CannotBeHad
from tests.push_service.service import PushService, push_service
from tests.village import Village, outcomes
from tests.workers import working

RESPONDER = PersonId("p-0")


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    try:
        async with push_service() as running:
            yield running
    except CannotBeHad as reason:
        pytest.skip(str(reason))


@pytest.fixture
def village(nc: Client, nats_settings: Settings) -> Village:
    return Village(nc, nats_settings.site)


async def application_key(village: Village, site: str | None = None) -> str:
    """What the page of a site hands to the browser when it subscribes."""
    return (await load_keys(village.nc, site or village.site)).vapid_public


async def test_an_alarm_is_shown_on_the_phone_that_subscribed(
    service: PushService, village: Village, nats_settings: Settings
) -> None:
    phone = await service.subscribe(await application_key(village))
    await village.settle([(phone,)])
    async with working(village, nats_settings):
        case = await village.finished(await village.press(drill=True))
    assert outcomes(case)[RESPONDER, "webpush"] == ("sent", None, 1)
    (ring,) = await service.shown(phone)
    assert ring["notification"] == notification_id(case.id, RESPONDER)
    assert ring["title"].startswith("【演练 DRILL】")
    assert "李家" in ring["body"]


async def test_a_subscription_that_expired_is_retired_and_the_next_phone_rings(
    service: PushService, village: Village, nats_settings: Settings
) -> None:
    key = await application_key(village)
    old, new = await service.subscribe(key), await service.subscribe(key)
    await service.expire(old)
    await village.settle([(old, new)])
    async with working(village, nats_settings):
        case = await village.finished(await village.press())
    assert outcomes(case)[RESPONDER, "webpush"] == ("sent", None, 1)
    assert (len(await service.shown(old)), len(await service.shown(new))) == (0, 1)
    person = (await village.roster.people([RESPONDER]))[RESPONDER]
    assert [point.retired for point in person.contact_points] == ["subscription gone (HTTP 410)", None]


async def test_a_subscription_for_another_key_is_refused_and_not_retired(
    service: PushService, village: Village, nats_settings: Settings
) -> None:
    phone = await service.subscribe(await application_key(village, f"{village.site}-another"))
    await village.settle([(phone,)])
    async with working(village, nats_settings):
        case = await village.finished(await village.press())
    assert outcomes(case)[RESPONDER, "webpush"] == ("failed", "HTTP 400", 1)
    assert await service.shown(phone) == []
    person = (await village.roster.people([RESPONDER]))[RESPONDER]
    assert [point.retired for point in person.contact_points] == [None]
