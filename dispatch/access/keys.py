"""Keys made on first run: the secret behind one-tap links, and the VAPID key that push services know us by."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from nats.aio.client import Client

from dispatch.access.bucket import Bucket
from dispatch.errors import SetupError, Unavailable
from dispatch.events import KEYS
from dispatch.identifiers import Site

_LINK_SECRET_BYTES = 32


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """`vapid_public` is the uncompressed P-256 point in base64url, as `PushManager.subscribe` takes it (RFC 8292)."""

    link_secret: bytes
    vapid_private_pem: str
    vapid_public: str

    def __repr__(self) -> str:
        return f"Keys(vapid_public={self.vapid_public!r})"


async def load_keys(nc: Client, site: Site | str) -> Keys:
    """The site's keys, made if there are none; of several processes that make them at once all get the same.

    Raises `Unavailable` without a server, `SetupError` when what is stored is no key.
    """
    bucket = Bucket(nc, KEYS)
    link_secret = await _kept(bucket, f"{site}.link", secrets.token_bytes(_LINK_SECRET_BYTES))
    private = await _kept(bucket, f"{site}.vapid", _new_vapid_key())
    try:
        public = vapid_public(private)
    except (ValueError, TypeError) as error:
        raise SetupError(f"the stored key {site}.vapid is no P-256 key: {error}; delete it to make a new one") from None
    return Keys(link_secret=link_secret, vapid_private_pem=private.decode(), vapid_public=public)


def vapid_public(private_pem: bytes) -> str:
    """The public point of a P-256 private key in PEM, uncompressed, in base64url without padding.

    Raises `ValueError` or `TypeError` when it is anything else.
    """
    key = load_pem_private_key(private_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError("not on the curve P-256")
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return urlsafe_b64encode(point).rstrip(b"=").decode()


async def _kept(bucket: Bucket, key: str, candidate: bytes) -> bytes:
    value = await bucket.get(key)
    if value is not None:
        return value
    if await bucket.create(key, candidate):
        return candidate
    value = await bucket.get(key)
    if value is None:
        raise Unavailable(f"the key {key} is being changed by somebody else; try again")
    return value


def _new_vapid_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
