"""One-tap links: what a notification carries so that its reader can answer without signing in."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from itsdangerous import BadData, Serializer, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode

from dispatch.errors import Malformed, NotSignedIn
from dispatch.identifiers import CaseId, PersonId, household_of, token

LINK_LIFE = timedelta(hours=48)
_LONGEST_LINK = 500


class LinkClaims(msgspec.Struct, frozen=True):
    """Who may answer which case with this link."""

    case: CaseId
    responder: PersonId


class _Uncompressed(URLSafeTimedSerializer):
    """Does not try to compress some thirty bytes: in a storm a link is made for every ring. It reads both."""

    def dump_payload(self, obj: object) -> bytes:
        return base64_encode(Serializer.dump_payload(self, obj))


class Links:
    """Makes and reads the links below `base_url` (without a slash at its end), signed with `secret`."""

    def __init__(self, secret: bytes, base_url: str) -> None:
        self._base = base_url
        self._serializer = _Uncompressed(secret, salt="dispatch.one-tap-link.v1")

    def make(self, case: CaseId, responder: PersonId) -> str:
        """The whole URL of the link with which `responder` answers `case`."""
        return f"{self._base}/r/{self._serializer.dumps([case, responder])}"

    def read(self, link: str) -> LinkClaims:
        """What the token behind `/r/` allows. Raises `NotSignedIn` when it is forged or older than 48 hours."""
        try:
            claims = self._serializer.loads(link[:_LONGEST_LINK], max_age=int(LINK_LIFE.total_seconds()))
            case, responder = msgspec.convert(claims, tuple[CaseId, PersonId])
            household_of(case)
            return LinkClaims(case, PersonId(token(responder, "responder")))
        except (BadData, msgspec.ValidationError, Malformed):
            raise NotSignedIn("this link is not ours or is older than 48 hours; open the newest alert") from None
