"""Web Push subscriptions: only what a push service can be, and the newest five."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any, cast

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dispatch.identifiers import PersonId
from dispatch.roster import WebhookPoint, WebPushPoint
from tests.integration.web_world import World

Client = TestClient[Any, Any]
AUTH = urlsafe_b64encode(b"a" * 16).decode()


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


POINT = encode(
    ec.derive_private_key(7, ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)


def subscription(endpoint: str = "https://push.example.com/abc", **keys: str) -> dict[str, Any]:
    return {"endpoint": endpoint, "keys": {"p256dh": POINT, "auth": AUTH, **keys}, "expirationTime": None}


async def points(village: World) -> list[str]:
    person = (await village.roster.people([PersonId("p-1")]))[PersonId("p-1")]
    return [
        one.endpoint if isinstance(one, WebPushPoint) else cast("WebhookPoint", one).url
        for one in person.contact_points
    ]


async def test_the_newest_comes_first_and_five_are_kept(client: Client, village: World, phone: dict[str, str]) -> None:
    hook = WebhookPoint(url="https://hook.example.com/", secret="whsec_x")

    def add(person: Any) -> Any:
        return msgspec.structs.replace(person, contact_points=(hook,))

    await village.roster.update_person(PersonId("p-1"), add, by="test")
    told: list[str] = []
    for n in range(6):
        body = subscription(f"https://push.example.com/{n}")
        response = await client.post("/v1/push-subscriptions", json=body, headers=phone)
        assert response.status == 200
        told = (await response.json())["endpoints"]
    kept = [f"https://push.example.com/{n}" for n in (5, 4, 3, 2, 1)]
    assert told == kept
    assert await points(village) == [*kept, hook.url]


async def test_the_same_endpoint_is_replaced(client: Client, village: World, phone: dict[str, str]) -> None:
    await client.post("/v1/push-subscriptions", json=subscription(), headers=phone)
    newer = subscription(auth=encode(b"b" * 16))
    await client.post("/v1/push-subscriptions", json=newer, headers=phone)
    person = (await village.roster.people([PersonId("p-1")]))[PersonId("p-1")]
    [point] = person.contact_points
    assert isinstance(point, WebPushPoint)
    assert point.auth == encode(b"b" * 16)


async def test_a_subscription_can_be_taken_back(client: Client, village: World, phone: dict[str, str]) -> None:
    await client.post("/v1/push-subscriptions", json=subscription(), headers=phone)
    body = {"endpoint": "https://push.example.com/abc"}
    for _ in range(2):
        response = await client.delete("/v1/push-subscriptions", json=body, headers=phone)
        assert await response.json() == {"endpoints": []}
    assert await points(village) == []


async def test_somebody_who_is_not_in_the_roster_cannot_subscribe(client: Client, village: World) -> None:
    stranger = await village.bearer("responder", "p-404")
    assert (await client.post("/v1/push-subscriptions", json=subscription(), headers=stranger)).status == 404


PRIVATE = [
    "http://push.example.com/x",
    "https://localhost/x",
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://2130706433/x",
    "https://0x7f.0.0.1/x",
    "https://0x7f000001/x",
    "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://169.254.169.254/latest",
    "https://8.8.8.8/x",
    "https://intranet/x",
    "https://printer.local/x",
    "https://db.internal./x",
    "https://push.example.com:22/x",
    "https://user@push.example.com/x",
    "https://push.example.com\\@evil/x",
    "https://push.example.com:99999/x",
    "https://push.example.com/\r\nX: y",
    "https://пуш.example.com/x",
    "ftp://push.example.com/x",
    "javascript:alert(1)",
    "https:///x",
    "",
    "https://push.example.com/" + "x" * 1024,
]


@pytest.mark.parametrize("endpoint", PRIVATE)
async def test_only_a_public_push_service_is_an_endpoint(
    endpoint: str, client: Client, village: World, phone: dict[str, str]
) -> None:
    response = await client.post("/v1/push-subscriptions", json=subscription(endpoint), headers=phone)
    assert response.status == 400
    assert (await response.json())["field"] == "endpoint"
    assert await points(village) == []


BAD_KEYS = {
    "a point that is too short": {"p256dh": POINT[:-2]},
    "a compressed point": {"p256dh": encode(b"\x02" + b"a" * 32)},
    "no point on the curve": {"p256dh": encode(b"\x04" + b"a" * 64)},
    "not base64url": {"p256dh": POINT[:-1] + "+"},
    "a short auth": {"auth": encode(b"a" * 15)},
    "a long auth": {"auth": encode(b"a" * 17)},
    "an empty auth": {"auth": ""},
}


@pytest.mark.parametrize("keys", BAD_KEYS.values(), ids=BAD_KEYS.keys())
async def test_keys_are_what_the_push_api_gives(keys: dict[str, str], client: Client, phone: dict[str, str]) -> None:
    response = await client.post("/v1/push-subscriptions", json=subscription(**keys), headers=phone)
    assert response.status == 400
    assert (await response.json())["field"].startswith("keys.")


async def test_a_trial_on_one_machine_may_use_its_own_push_service(village: World, phone: dict[str, str]) -> None:
    village.settings.private_push_endpoints = True
    async with village.served() as client:
        body = subscription("http://127.0.0.1:9999/x")
        assert (await client.post("/v1/push-subscriptions", json=body, headers=phone)).status == 200
