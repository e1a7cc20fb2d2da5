"""Bearer tokens: made once, shown once, kept as a hash, checked with one read.

A token has 256 random bits, so a plain SHA-256 of it is what to keep. A slow, salted hash makes
guessing costly where a secret can be guessed, as a password can; NIST SP 800-63B, 5.1.2.2, asks no
more than an approved one-way hash for a random secret of 112 bits or more, and every press would wait for it.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec
from nats.aio.client import Client

from dispatch.access.bucket import Bucket
from dispatch.clock import Clock, now
from dispatch.errors import Malformed, NotFound, NotSignedIn
from dispatch.events import TOKENS
from dispatch.identifiers import AreaId, Site, token

TokenRole = Literal["device", "responder", "operator", "monitor"]

MAX_LABEL = 200
TOKEN_ID_LENGTH = 12
_LONGEST_SECRET = 200
_RANDOM_BYTES = 32


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who a token speaks for. `subject` is a household, a person or an operator's name; `area` an operator's scope.

    An operator without an area may see the whole site. `token_id` names the token and is no secret.
    """

    role: TokenRole
    subject: str
    area: AreaId | None
    label: str
    token_id: str


class Issued(msgspec.Struct, frozen=True):
    """A new token: the only time that its `secret` is seen."""

    secret: str
    token_id: str


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token without its secret."""

    principal: Principal
    issued_at: datetime
    expires_at: datetime | None


_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]


class _Kept(msgspec.Struct, omit_defaults=True):
    role: TokenRole
    subject: str
    issued_at: _Zoned
    area: AreaId | None = None
    label: str = ""
    expires_at: _Zoned | None = None


_decoder = msgspec.json.Decoder(_Kept)


class Tokens:
    """The tokens of one site."""

    def __init__(self, nc: Client, site: Site | str, *, clock: Clock = now) -> None:
        self._bucket, self._site, self._clock = Bucket(nc, TOKENS), site, clock

    async def issue(
        self,
        role: TokenRole,
        subject: str,
        *,
        label: str = "",
        area: AreaId | None = None,
        expires_at: datetime | None = None,
    ) -> Issued:
        """A new token for `subject`. Raises `Malformed` for a role, id or label that cannot be, or a past expiry."""
        if role not in get_args(TokenRole):
            raise Malformed(f"role {role[:80]!r} is none of {', '.join(get_args(TokenRole))}", field="role")
        if len(label) > MAX_LABEL or not label.isprintable():
            raise Malformed(f"label: at most {MAX_LABEL} printable characters, not {label[:80]!r}", field="label")
        if expires_at is not None and (expires_at.tzinfo is None or expires_at <= self._clock()):
            raise Malformed(f"expires_at {expires_at} is past or names no time zone", field="expires_at")
        kept = _Kept(
            role=role,
            subject=token(subject, "subject"),
            issued_at=self._clock(),
            area=AreaId(token(area, "area")) if area is not None else None,
            label=label,
            expires_at=expires_at,
        )
        secret = f"dsp_{role}_{secrets.token_urlsafe(_RANDOM_BYTES)}"
        digest = _hash(secret)
        await self._bucket.create(self._key(digest), msgspec.json.encode(kept))
        return Issued(secret, digest[:TOKEN_ID_LENGTH])

    async def check(self, secret: str) -> Principal:
        """Whom `secret` speaks for, in one read.

        Raises `NotSignedIn` when it is unknown, expired or revoked, `Unavailable` when nobody can say.
        """
        digest = _hash(secret) if secret.isascii() and len(secret) <= _LONGEST_SECRET else None
        value = await self._bucket.get(self._key(digest)) if digest is not None else None
        if digest is None or value is None:
            raise NotSignedIn("this token is unknown or was revoked; ask for a new one")
        kept = _read(value)
        if kept is None or (kept.expires_at is not None and kept.expires_at <= self._clock()):
            raise NotSignedIn("this token has expired or cannot be read; ask for a new one")
        return _principal(kept, digest)

    async def revoke(self, token_id: str) -> Principal:
        """End the token at once and say whose it was. Raises `NotFound` when there is none."""
        async with aclosing(self._bucket.items(f"{self._site}.>")) as items:
            async for key, value in items:
                digest = key.rpartition(".")[2]
                kept = _read(value)
                if digest[:TOKEN_ID_LENGTH] == token_id and kept is not None:
                    await self._bucket.delete(key)
                    return _principal(kept, digest)
        raise NotFound(f"there is no token {token_id[:80]!r}; `dispatch token list` shows them", field="token_id")

    async def list(self) -> list[TokenInfo]:
        """Every token that was not revoked, expired ones too, oldest first."""
        found: list[TokenInfo] = []
        async for key, value in self._bucket.items(f"{self._site}.>"):
            kept = _read(value)
            if kept is not None:
                principal = _principal(kept, key.rpartition(".")[2])
                found.append(TokenInfo(principal=principal, issued_at=kept.issued_at, expires_at=kept.expires_at))
        return sorted(found, key=lambda info: info.issued_at)

    def _key(self, digest: str) -> str:
        return f"{self._site}.{digest}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _read(value: bytes) -> _Kept | None:
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError:
        return None


def _principal(kept: _Kept, digest: str) -> Principal:
    return Principal(
        role=kept.role,
        subject=kept.subject,
        area=kept.area,
        label=kept.label,
        token_id=digest[:TOKEN_ID_LENGTH],
    )
