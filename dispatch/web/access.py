"""Who is asking, and what they may see. Closed by default."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from urllib.parse import urlsplit

from aiohttp import web

from dispatch.access import Principal, Tokens
from dispatch.cases import Case
from dispatch.errors import Forbidden, NotSignedIn, TooFrequent
from dispatch.identifiers import HouseholdId, PersonId

AS_HEADER = "Dispatch-As"
IDENTITY = re.compile(r"(device|responder|operator|monitor):([A-Za-z0-9][A-Za-z0-9_-]{0,63})")
SAFE_METHODS = {"GET", "HEAD"}

FAILURES = 20
FAILURE_SECONDS = 60.0
REMEMBERED_ADDRESSES = 10_000


def cookie_name(role: str, subject: str) -> str:
    """The cookie of one identity; a browser may hold several at once."""
    return f"dispatch_{role}_{subject}"


class Failures:
    """Counts failed sign-ins by address: `FAILURES` in `FAILURE_SECONDS`, then 429.

    A good token always passes: behind one address there may be a whole village, and nobody's
    alarm waits for a neighbour's typing. Tokens are too long to be guessed.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._by_address: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def add(self, address: str) -> None:
        """Note one more. Raises `TooFrequent` when there have been too many."""
        time = self._clock()
        since, count = self._by_address.pop(address, (time, 0))
        if time - since > FAILURE_SECONDS:
            since, count = time, 0
        self._by_address[address] = (since, count + 1)
        while len(self._by_address) > REMEMBERED_ADDRESSES:
            self._by_address.popitem(last=False)
        if count >= FAILURES:
            raise TooFrequent(
                f"{FAILURES} failed sign-ins in {FAILURE_SECONDS:g} s from your address; wait, and check the token",
                retry_after=since + FAILURE_SECONDS - time,
            )


class Gate:
    """Finds out who is asking: by bearer token, or by the cookie of the identity that is named."""

    def __init__(self, tokens: Tokens, own_url: str) -> None:
        self._tokens, self._own_host = tokens, urlsplit(own_url).netloc
        self._failures = Failures()

    async def principal(self, request: web.Request) -> Principal:
        """Who is asking. Raises `NotSignedIn`, `TooFrequent`, `Forbidden` for a foreign origin, or `Unavailable`."""
        return (await self.identify(request))[0]

    async def identify(self, request: web.Request) -> tuple[Principal, str]:
        """As `principal`, with the token by which they are known, so that it can be checked again later."""
        if (secret := bearer(request)) is not None:
            return await self.check(request, secret), secret
        role, subject = self._identity(request)
        secret = request.cookies.get(cookie_name(role, subject))
        if secret is None:
            raise NotSignedIn(f"this browser is not signed in as {role}:{subject}; open your sign-in link again")
        self.same_origin(request)
        principal = await self.check(request, secret)
        if (principal.role, principal.subject) != (role, subject):
            raise NotSignedIn(f"the cookie is not that of {role}:{subject}; open your sign-in link again")
        return principal, secret

    async def check(self, request: web.Request, secret: str) -> Principal:
        """Whose token `secret` is; a wrong one counts against the address."""
        try:
            return await self._tokens.check(secret)
        except NotSignedIn:
            self.failed(request)
            raise

    def failed(self, request: web.Request) -> None:
        """Count a failed sign-in. Raises `TooFrequent` when there were too many from this address."""
        self._failures.add(request.remote or "")

    async def still_good(self, secret: str) -> bool:
        """Whether `secret` has been neither revoked nor outlived. Raises `Unavailable`."""
        try:
            await self._tokens.check(secret)
        except NotSignedIn:
            return False
        return True

    def same_origin(self, request: web.Request) -> None:
        """Raises `Forbidden` when another site's page sent a changing request."""
        origin = request.headers.get("Origin")
        if origin is None or request.method in SAFE_METHODS:
            return
        if urlsplit(origin).netloc not in {request.host, self._own_host}:
            raise Forbidden(f"a request from the origin {origin[:200]!r}: use this system's own pages", field="Origin")

    def _identity(self, request: web.Request) -> tuple[str, str]:
        named = request.headers.get(AS_HEADER)
        if named is None and request.method in SAFE_METHODS:
            named = request.query.get("as")
        if named is None:
            raise NotSignedIn(
                f"send `Authorization: Bearer …`, or from a page its cookie and the header `{AS_HEADER}: role:subject`"
            )
        match = IDENTITY.fullmatch(named)
        if match is None:
            raise NotSignedIn(f"{AS_HEADER} {named[:80]!r} is not of the form role:subject")
        return match[1], match[2]


def bearer(request: web.Request) -> str | None:
    """The bearer token (RFC 6750) of a request, if it has one."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def may_see(principal: Principal, case: Case) -> bool:
    """Whether `case` is any of `principal`'s business."""
    if case.raised is None:
        return False
    match principal.role:
        case "operator":
            return principal.area is None or principal.area in case.raised.areas
        case "responder":
            return PersonId(principal.subject) in case.called()
        case "device":
            return HouseholdId(principal.subject) == case.raised.household
        case _:
            return False
