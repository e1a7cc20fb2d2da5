"""An endpoint: what a route declares, and all that is done for every route before its handler runs."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_args

from aiohttp import web
from pydantic import BaseModel

from dispatch.access import Principal, TokenRole
from dispatch.errors import Forbidden, Malformed, SetupError
from dispatch.identifiers import CommitId, short_hash
from dispatch.web.encoding import encoded
from dispatch.web.parts import PARTS, Parts
from dispatch.web.reading import checked, parse_json, read_body

B = TypeVar("B", bound=BaseModel | None)
Q = TypeVar("Q", bound=BaseModel | None)

KEY_HEADER = "Idempotency-Key"
EVERYBODY: frozenset[TokenRole] = frozenset(get_args(TokenRole))


@dataclass(frozen=True, kw_only=True)
class Request(Generic[B, Q]):
    """A request that has passed the gate: who asks, and what, checked."""

    http: web.Request
    parts: Parts
    body: B
    query: Q
    known: Principal | None
    secret: str

    @property
    def principal(self) -> Principal:
        """Who asks. Only for routes that are not open."""
        if self.known is None:
            raise ValueError("an open route knows nobody")
        return self.known

    @property
    def author(self) -> str:
        """How the one who asks is written down on a case, e.g. `operator:wang`."""
        return f"{self.principal.role}:{self.principal.subject}"

    def path(self, name: str) -> str:
        return self.http.match_info[name]

    def once(self, *names: str, lenient: bool = False) -> CommitId:
        """The id under which this request is carried out once, however often it is sent.

        Made from the caller's `Idempotency-Key`, the caller and `names`, so that no two callers'
        keys can meet; new each time when there is no key. For a key that cannot be raises `Malformed`, or takes it
        as none when `lenient`.
        """
        key = self.http.headers.get(KEY_HEADER)
        if key is None:
            return CommitId(secrets.token_hex(16))
        good = 1 <= len(key) <= 255 and key.isascii() and key.isprintable()
        if not good and lenient:
            return CommitId(secrets.token_hex(16))
        if not good:
            raise Malformed(f"{KEY_HEADER}: use 1 to 255 printable ASCII characters", field=KEY_HEADER)
        caller = self.author if self.known else ""
        return CommitId(short_hash(caller, *names, key, length=26))


Handler = Callable[[Request[Any, Any]], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One route. It is closed: a route has `roles`, or says in so many words that it is `open` to anybody."""

    method: str
    path: str
    handler: Handler
    summary: str
    answer: Any
    roles: frozenset[TokenRole] = field(default_factory=frozenset)
    open: bool = False
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    max_body: int = 16 * 1024
    lenient: bool = False
    """Take a body whatever type it is said to be of, and none for an empty one: no alarm is refused for that."""
    media: str = "application/json"

    def __post_init__(self) -> None:
        if self.open == bool(self.roles):
            raise SetupError(f"{self.method} {self.path} must name its roles, or be open; not neither, not both")


def register(app: web.Application, routes: tuple[Route, ...]) -> None:
    """Serve `routes` in `app`. Nothing else is served under their paths."""
    for route in routes:
        app.router.add_route(route.method, route.path, _served(route))


def _served(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(http: web.Request) -> web.StreamResponse:
        parts = http.app[PARTS]
        principal, secret = (None, "") if route.open else await _admitted(route, http, parts)
        query = checked(route.query, _single(http)) if route.query else None
        body = checked(route.body, await _document(route, http)) if route.body else None
        request = Request(http=http, parts=parts, body=body, query=query, known=principal, secret=secret)
        answer = await route.handler(request)
        if isinstance(answer, web.StreamResponse):
            return answer
        return json_response(answer, route.status)

    return serve


async def _document(route: Route, http: web.Request) -> object:
    raw = await read_body(http, route.max_body, any_type=route.lenient)
    return {} if route.lenient and not raw.strip() else parse_json(raw)


async def _admitted(route: Route, http: web.Request, parts: Parts) -> tuple[Principal, str]:
    principal, secret = await parts.gate.identify(http)
    if principal.role not in route.roles:
        raise Forbidden(
            f"{route.method} {route.path} is for {', '.join(sorted(route.roles))}, not for a {principal.role}",
            role=principal.role,
        )
    return principal, secret


def _single(http: web.Request) -> dict[str, str]:
    query = http.query
    for name in query:
        if len(query.getall(name)) > 1:
            raise Malformed(f"{name[:80]!r} stands in the query twice; say it once", field=name[:80])
    return {name: value for name, value in query.items() if name != "as"}


def json_response(answer: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=encoded(answer), content_type="application/json")
