"""A phone that takes Web Push: its keys, and reading by an independent implementation of RFC 8291."""

from __future__ import annotations

import base64
import os

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dispatch.roster import WebPushPoint


def point_of(key: ec.EllipticCurvePrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Phone:
    """A browser's end of a subscription."""

    def __init__(self) -> None:
        self._key, self._auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)

    def subscription(self, endpoint: str) -> WebPushPoint:
        auth = base64.urlsafe_b64encode(self._auth).rstrip(b"=").decode()
        return WebPushPoint(endpoint=endpoint, p256dh=point_of(self._key), auth=auth)

    def decrypt(self, body: bytes) -> bytes:
        plain: bytes = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        return plain
