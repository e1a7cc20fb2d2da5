"""The JSON Web Tokens that NATS servers and their auth callout exchange: Ed25519, keys written as NATS nkeys.

Sources: NATS ADR-26 (authorization callouts) and the JWT library of nats-io (header `ed25519-nkey`, version 2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import nacl.exceptions
import nacl.signing
import nkeys

from dispatch.errors import Malformed

_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_SERVER_KEY_BYTES = 35
"""One byte that says what the key is of, 32 of the key, 2 of CRC."""


def sign(key: nkeys.KeyPair, claims: dict[str, object]) -> str:
    """`claims` as a JWT issued now by `key`."""
    issued = {**claims, "iss": bytes(key.public_key).decode(), "iat": int(datetime.now(UTC).timestamp())}
    digest = hashlib.sha256(msgspec.json.encode(issued, order="sorted")).digest()
    issued["jti"] = base64.b32encode(digest).decode().rstrip("=")
    text = f"{_encode(msgspec.json.encode(_HEADER))}.{_encode(msgspec.json.encode(issued))}"
    return f"{text}.{_encode(key.sign(text.encode()))}"


def verified(jwt: str) -> dict[str, Any]:
    """The claims of `jwt` after checking that whom it names as issuer signed it. Raises `Malformed`."""
    try:
        text, _, signature = jwt.rpartition(".")
        header, _, body = text.partition(".")
        if msgspec.json.decode(_decode(header), type=dict[str, str]) != _HEADER:
            raise Malformed("a JWT whose header is not that of NATS")
        claims: dict[str, Any] = msgspec.json.decode(_decode(body), type=dict[str, Any])
        _public_key(claims["iss"]).verify(text.encode(), _decode(signature))
    except (msgspec.DecodeError, binascii.Error, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Malformed(f"not a JWT of NATS: {error!r}") from None
    except nacl.exceptions.CryptoError:
        raise Malformed("a JWT that its issuer did not sign") from None
    return claims


def _public_key(name: str) -> nacl.signing.VerifyKey:
    raw = base64.b32decode(name + "=" * (-len(name) % 8))
    if len(raw) != _SERVER_KEY_BYTES:
        raise ValueError("a public key of another length")
    return nacl.signing.VerifyKey(raw[1:-2])


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
