"""Web Push: RFC 8030 (delivery), RFC 8291 (encryption), RFC 8292 (VAPID, who we are)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec.structs import replace
from pydantic import AnyHttpUrl
from webpush import WebPush  # type: ignore[import-untyped]
from webpush.types import WebPushKeys, WebPushSubscription  # type: ignore[import-untyped]

from dispatch.fanout.channels.http import Poster, origin_of
from dispatch.fanout.channels.sender import Sent, failed
from dispatch.fanout.channels.vapid import KeptVapid
from dispatch.fanout.ring import Ring
from dispatch.roster import WebPushPoint

TTL_SECONDS = 3600
"""How long a push service keeps a ring for a phone that is off; an older alarm helps nobody."""

MAX_BODY_BYTES = 4096
"""What every push service takes (RFC 8030, 7.2)."""
OVERHEAD_BYTES = 86 + 1 + 16
"""RFC 8188's header with a P-256 key, its padding delimiter, and the tag of AES-GCM."""
MAX_PLAIN_BYTES = MAX_BODY_BYTES - OVERHEAD_BYTES


class WebPushSender:
    """Pushes to browsers' subscriptions, in the name of the VAPID key (P-256; `public` as browsers take it).

    `contact` is a `mailto:` or `https:` address by which a push service can reach whoever runs this.
    """

    def __init__(self, poster: Poster, private_pem: str, public: str, contact: str) -> None:
        key = cast("EllipticCurvePrivateKey", load_pem_private_key(private_pem.encode(), password=None))
        public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._poster = poster
        self._webpush = WebPush(private_pem.encode(), public_pem, subscriber=contact, ttl=TTL_SECONDS)
        self._webpush.vapid = KeptVapid(key, public)

    async def send(self, ring: Ring, point: WebPushPoint) -> Sent:
        """Encrypt and push; a subscription that the service no longer knows is `gone`."""
        try:
            body, headers = self._encrypted(ring, point)
        except ValueError as error:
            return failed(f"the push subscription cannot be used: {type(error).__name__}")
        return await self._poster.post(point.endpoint, body, headers, _judge)

    def provider(self, point: WebPushPoint) -> str:
        return origin_of(point.endpoint)

    def _encrypted(self, ring: Ring, point: WebPushPoint) -> tuple[bytes, Mapping[str, str]]:
        keys = WebPushKeys(auth=point.auth, p256dh=point.p256dh)
        subscription = WebPushSubscription(endpoint=AnyHttpUrl(point.endpoint), keys=keys)
        message = self._webpush.get(fitted(ring, MAX_PLAIN_BYTES), subscription)
        return message.encrypted, {
            "Authorization": message.headers["authorization"],
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(TTL_SECONDS),
            "Topic": ring.notification,
            "Urgency": "high",
        }


def fitted(ring: Ring, most: int) -> bytes:
    """`ring` as JSON of at most `most` bytes: its body text is cut for that, everything else stays."""
    encoded = msgspec.json.encode(ring)
    if len(encoded) <= most:
        return encoded

    def cut(characters: int) -> bytes:
        return msgspec.json.encode(replace(ring, body=f"{ring.body[:characters]}…"))

    too_many = bisect_right(range(len(ring.body)), most, key=lambda characters: len(cut(characters)))
    return cut(max(too_many - 1, 0))


def _judge(status: int) -> Sent | None:
    if status in {404, 410}:
        return failed(f"subscription gone (HTTP {status})", gone=True)
    return None
