"""VAPID (RFC 8292): the header that tells a push service who we are, signed once an hour for each service."""

from __future__ import annotations

from collections import OrderedDict

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from yarl import URL

from dispatch.clock import Clock, now

RESIGN_SECONDS = 3600.0
REMEMBERED_ORIGINS = 256


class KeptVapid:
    """Takes the place of the library's own in `WebPush.vapid`.

    That one makes a signature for each push, and its audience lacks the port (RFC 6454, 6.2).
    `public` is the key's uncompressed point in base64url.
    """

    def __init__(self, key: EllipticCurvePrivateKey, public: str, clock: Clock = now) -> None:
        self._key, self._public, self._clock = key, public, clock
        self._kept: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def get_authorization_header(self, endpoint: object, subscriber: str, expiration: int) -> str:
        """The header for pushes to `endpoint`'s origin, good for `expiration` seconds less an hour at least."""
        origin, at = str(URL(str(endpoint)).origin()), self._clock().timestamp()
        signed_at, header = self._kept.get(origin, (0.0, ""))
        if at - signed_at > RESIGN_SECONDS:
            header = self._sign(origin, subscriber, int(at) + expiration)
            self._kept[origin] = (at, header)
            if len(self._kept) > REMEMBERED_ORIGINS:
                self._kept.popitem(last=False)
        return header

    def _sign(self, origin: str, subscriber: str, expires: int) -> str:
        claims = {"aud": origin, "exp": expires, "sub": subscriber}
        return f"vapid t={jwt.encode(claims, self._key, algorithm='ES256')}, k={self._public}"
