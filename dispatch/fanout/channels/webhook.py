"""An HTTP endpoint of somebody's own, signed as Standard Webhooks 1.0 says (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

import msgspec

from dispatch.clock import Clock, now
from dispatch.fanout.channels.http import Poster, origin_of
from dispatch.fanout.channels.sender import Sent, failed
from dispatch.fanout.ring import Ring, Word
from dispatch.roster import WebhookPoint

TYPES: Mapping[Word, str] = {"called": "responder.called", "stood_down": "responder.stood_down", "over": "case.over"}
_SECRET_PREFIX = "whsec_"  # noqa: S105  (what a secret begins with, not one)


class _Payload(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime
    data: Ring


class WebhookSender:
    """Posts `{"type", "timestamp", "data": ring}`; the types are those of `TYPES`."""

    def __init__(self, poster: Poster, clock: Clock = now) -> None:
        self._poster, self._clock = poster, clock

    async def send(self, ring: Ring, point: WebhookPoint) -> Sent:
        """Post to the endpoint; `webhook-id` is the notification and the step, so that a second try is known.

        Another step rings anew, and what takes a ring back is no ring: an endpoint that knows the id would drop them.
        """
        try:
            key = secret_key(point.secret)
        except ValueError as error:
            return failed(str(error))
        body = msgspec.json.encode(_Payload(TYPES[ring.word], ring.raised_at, ring))
        message = f"{ring.notification}-{ring.step}" + ("" if ring.word == "called" else f"-{ring.word}")

        headers = signed_headers(key, message, int(self._clock().timestamp()), body)
        return await self._poster.post(point.url, body, headers)

    def provider(self, point: WebhookPoint) -> str:
        return origin_of(point.url)


def secret_key(secret: str) -> bytes:
    """The key in a secret. Raises `ValueError` when it holds none."""
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("the webhook's secret is not whsec_ followed by base64")
    return key


def signed_headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that prove to the endpoint who sent `body`; `timestamp` in seconds since 1970."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
