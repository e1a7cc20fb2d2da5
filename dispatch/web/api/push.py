"""Web Push subscriptions of a responder's browsers, kept with their contact points in the roster."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from dispatch.errors import Malformed
from dispatch.identifiers import PersonId
from dispatch.roster import ContactPoint, Person, WebPushPoint
from dispatch.web.endpoint import Request
from dispatch.web.reading import Sent

MAX_SUBSCRIPTIONS = 5
POINT_BYTES, AUTH_BYTES = 65, 16
PUBLIC_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])", re.ASCII)
"""A DNS name of two labels or more whose last begins with a letter: no IP address in any spelling is one."""
PRIVATE_ENDINGS = (".local", ".localhost", ".internal", ".home.arpa", ".lan", ".test", ".invalid", ".example", ".onion")


def _bytes(value: str) -> bytes:
    try:
        return urlsafe_b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        raise ValueError("is not base64url") from None


def _point(value: str) -> str:
    raw = _bytes(value)
    if len(raw) != POINT_BYTES or raw[0] != 4:
        raise ValueError(f"must be an uncompressed P-256 point of {POINT_BYTES} bytes in base64url")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise ValueError("is no point on the curve P-256") from None
    return value


def _auth(value: str) -> str:
    if len(_bytes(value)) != AUTH_BYTES:
        raise ValueError(f"must be {AUTH_BYTES} bytes in base64url")
    return value


def _url(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("holds characters that no URL has")
    parts = urlsplit(value)
    if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be an https URL without a user name")
    _ = parts.port  # raises ValueError for one that cannot be
    return value


Base64Url = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]+={0,2}$")]


class PushKeys(Sent):
    p256dh: Annotated[Base64Url, AfterValidator(_point)]
    auth: Annotated[Base64Url, AfterValidator(_auth)]


class SubscriptionSent(Sent):
    """As the browser's `PushSubscription.toJSON()` gives it."""

    endpoint: Annotated[str, Field(max_length=1024), AfterValidator(_url)]
    keys: PushKeys
    expirationTime: Any = None  # noqa: N815  (the Push API's own name)


class UnsubscriptionSent(Sent):
    endpoint: Annotated[str, Field(max_length=1024)]


class Subscriptions(TypedDict):
    endpoints: list[str]


async def subscribe(request: Request[SubscriptionSent, None]) -> Subscriptions:
    sent = request.body
    if not request.parts.deps.settings.private_push_endpoints:
        _require_public(sent.endpoint)
    point = WebPushPoint(endpoint=sent.endpoint, p256dh=sent.keys.p256dh, auth=sent.keys.auth)
    return await _change(request, sent.endpoint, point)


async def unsubscribe(request: Request[UnsubscriptionSent, None]) -> Subscriptions:
    return await _change(request, request.body.endpoint, None)


def _require_public(endpoint: str) -> None:
    """Raises `Malformed` for an endpoint through which somebody could make us talk to our own network."""
    parts = urlsplit(endpoint)
    host = (parts.hostname or "").rstrip(".")
    public = PUBLIC_NAME.fullmatch(host) and not host.endswith(PRIVATE_ENDINGS)
    if parts.scheme != "https" or not public or parts.port not in {None, 443}:
        raise Malformed(
            f"endpoint {endpoint[:120]!r}: a push service is reached by https, on port 443, at a public DNS name",
            field="endpoint",
        )


async def _change(request: Request[Any, None], endpoint: str, point: WebPushPoint | None) -> Subscriptions:
    person = await request.parts.deps.roster.update_person(
        PersonId(request.principal.subject),
        lambda known: with_subscription(known, endpoint, point),
        by=request.author,
    )
    points = (one for one in person.contact_points if isinstance(one, WebPushPoint) and one.retired is None)
    return {"endpoints": [one.endpoint for one in points]}


def with_subscription(person: Person, endpoint: str, point: WebPushPoint | None) -> Person:
    """`person` with `point` first, in place of what was known of `endpoint`; the newest five are kept."""
    others = [one for one in person.contact_points if not (isinstance(one, WebPushPoint) and one.endpoint == endpoint)]
    points: list[ContactPoint] = [point, *others] if point else others
    pushes = [one for one in points if isinstance(one, WebPushPoint)]
    kept = set(map(id, pushes[:MAX_SUBSCRIPTIONS]))
    return msgspec.structs.replace(
        person,
        contact_points=tuple(one for one in points if not isinstance(one, WebPushPoint) or id(one) in kept),
    )
