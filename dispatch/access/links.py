"""One-tap links: what a notification carries so that its reader can answer without signing in."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import msgspec
from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode
from itsdangerous.signer import SigningAlgorithm

from dispatch.errors import Malformed, NotSignedIn
from dispatch.identifiers import CaseId, PersonId, household_of, token

LINK_LIFE = timedelta(hours=48)
_LONGEST_LINK = 500


class LinkClaims(msgspec.Struct, frozen=True):
    """Who may answer which case with this link."""

    case: CaseId
    responder: PersonId


class _OneKey(SigningAlgorithm):
    """What itsdangerous signs with, HMAC-SHA1, set up once: OpenSSL takes longer for that than for so short a text."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hmac.new(key, digestmod=hashlib.sha1)

    def get_signature(self, key: bytes, value: bytes) -> bytes:  # noqa: ARG002  (it is always the one)
        signing = self._keyed.copy()
        signing.update(value)
        return signing.digest()


class Links:
    """Makes and reads the links below `base_url` (without a slash at its end), signed with `secret`.

    In a storm one is made for every ring: the key is derived once, and nothing tries to compress some thirty bytes.
    """

    def __init__(self, secret: bytes, base_url: str) -> None:
        self._base = base_url
        self._serializer = URLSafeTimedSerializer(secret, salt="dispatch.one-tap-link.v1")
        key = self._serializer.make_signer().derive_key()
        self._signer = TimestampSigner(key, key_derivation="none", algorithm=_OneKey(key))

    def make(self, case: CaseId, responder: PersonId) -> str:
        """The whole URL of the link with which `responder` answers `case`."""
        signed = self._signer.sign(base64_encode(msgspec.json.encode([case, responder])))
        return f"{self._base}/r/{signed.decode()}"

    def read(self, link: str) -> LinkClaims:
        """What the token behind `/r/` allows. Raises `NotSignedIn` when it is forged or older than 48 hours."""
        try:
            claims = self._serializer.loads(link[:_LONGEST_LINK], max_age=int(LINK_LIFE.total_seconds()))
            case, responder = msgspec.convert(claims, tuple[CaseId, PersonId])
            household_of(case)
            return LinkClaims(case, PersonId(token(responder, "responder")))
        except (BadData, msgspec.ValidationError, Malformed, UnicodeError):
            raise NotSignedIn("this link is not ours or is older than 48 hours; open the newest alert") from None
