"""Web Push: what arrives is decrypted by an independent implementation of RFC 8291, the VAPID token checked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from dispatch.fanout.channels import Poster, Sent, WebPushSender
from dispatch.fanout.channels.vapid import KeptVapid
from dispatch.fanout.channels.webpush import MAX_BODY_BYTES, MAX_PLAIN_BYTES, fitted
from dispatch.roster import WebPushPoint
from tests.phones import Phone, point_of
from tests.receivers import Receiver, receiving, status
from tests.rings import HOME, ring

CONTACT = "mailto:duty@dispatch.example"
OURS = ec.generate_private_key(ec.SECP256R1())
PRIVATE = OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


PUBLIC = point_of(OURS)


def sender(poster: Poster) -> WebPushSender:
    return WebPushSender(poster, PRIVATE, PUBLIC, CONTACT)


async def pushed(receiver: Receiver, phone: Phone, **changes: object) -> Sent:
    async with Poster(guarded=False) as poster:
        return await sender(poster).send(ring(**changes), phone.subscription(receiver.url))  # type: ignore[arg-type]


async def test_the_phone_can_read_it_and_the_headers_say_how_urgent_it_is() -> None:
    phone = Phone()
    async with receiving(status(201)) as receiver:
        assert await pushed(receiver, phone) == Sent("sent")
    (request,) = receiver.requests
    assert phone.decrypt(request.body) == msgspec.json.encode(ring())
    assert request.headers["Content-Encoding"] == "aes128gcm"
    assert (request.headers["Urgency"], request.headers["TTL"]) == ("high", "3600")
    assert request.headers["Topic"] == ring().notification


async def test_another_phone_cannot() -> None:
    async with receiving(status(201)) as receiver:
        await pushed(receiver, Phone())
    with pytest.raises(Exception, match=r"[Dd]ecrypt|tag|^$"):
        Phone().decrypt(receiver.requests[0].body)


async def test_the_vapid_token_is_ours_for_this_service_and_for_less_than_a_day() -> None:
    async with receiving(status(201)) as receiver:
        await pushed(receiver, Phone())
    scheme, _, parameters = receiver.requests[0].headers["Authorization"].partition(" ")
    given = dict(part.strip().split("=", 1) for part in parameters.split(","))
    origin = receiver.url.removesuffix("/hook")
    claims = jwt.decode(given["t"], OURS.public_key(), algorithms=["ES256"], audience=origin)
    assert (scheme, given["k"], claims["sub"]) == ("vapid", PUBLIC, CONTACT)
    assert 0 < claims["exp"] - datetime.now(UTC).timestamp() <= 24 * 3600


def test_the_token_is_kept_for_an_hour_and_made_for_each_service() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    vapid = KeptVapid(OURS, PUBLIC, clock=lambda: at)
    first = vapid.get_authorization_header("https://push.example/a", CONTACT, 43200)
    assert vapid.get_authorization_header("https://push.example/b", CONTACT, 43200) == first
    assert vapid.get_authorization_header("https://push.example:8443/b", CONTACT, 43200) != first
    at += timedelta(hours=1, seconds=1)
    assert vapid.get_authorization_header("https://push.example/a", CONTACT, 43200) != first


async def test_the_longest_entries_of_a_roster_still_fit() -> None:
    phone = Phone()
    home = replace(HOME, name="家" * 99, address="址" * 999, note="注" * 9999)
    async with receiving(status(201)) as receiver:
        assert await pushed(receiver, phone, home=home) == Sent("sent")
    (request,) = receiver.requests
    assert len(request.body) <= MAX_BODY_BYTES
    read = json.loads(phone.decrypt(request.body))
    assert read["link"] == ring().link
    assert len(read["body"]) > 300


@pytest.mark.parametrize("body", ["", "短", "中" * 5000, '"\\' * 4000, "😀" * 3000])
def test_whatever_the_text_it_fits_and_nothing_else_is_lost(body: str) -> None:
    encoded = fitted(replace(ring(), body=body), MAX_PLAIN_BYTES)
    read = json.loads(encoded)
    assert len(encoded) <= MAX_PLAIN_BYTES
    assert body.startswith(read.pop("body").removesuffix("…"))
    assert read == {k: v for k, v in json.loads(msgspec.json.encode(ring())).items() if k != "body"}
    assert len(encoded) > MAX_PLAIN_BYTES - 20 or len(body) < 2


@pytest.mark.parametrize("code", [404, 410])
async def test_a_subscription_that_is_gone_is_to_be_retired(code: int) -> None:
    async with receiving(status(code)) as receiver:
        assert await pushed(receiver, Phone()) == Sent("failed", f"subscription gone (HTTP {code})", gone=True)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("code", [400, 403, 413])
async def test_what_will_never_do_is_not_tried_again(code: int) -> None:
    async with receiving(status(code)) as receiver:
        assert await pushed(receiver, Phone()) == Sent("failed", f"HTTP {code}")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [("", ""), ("AAAA", "AAAA"), (point_of(OURS), "é"), ("!" * 87, "AAAA"), (point_of(OURS)[:-4] + "AAAA", "A" * 22)],
    ids=["none", "short", "auth", "base64", "off-the-curve"],  # the keys are new in every process
)
async def test_keys_that_are_none_fail_in_words(p256dh: str, auth: str) -> None:
    async with receiving() as receiver, Poster(guarded=False) as poster:
        sent = await sender(poster).send(ring(), WebPushPoint(endpoint=receiver.url, p256dh=p256dh, auth=auth))
    assert sent.outcome == "failed"
    assert "push subscription cannot be used" in str(sent.reason)
    assert not receiver.requests
