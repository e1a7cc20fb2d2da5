"""The live stream."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from dispatch.errors import Malformed
from dispatch.web.endpoint import Request
from dispatch.web.reading import Sent
from dispatch.web.stream import serve_stream

Position = Annotated[int | None, Field(ge=0, le=2**63 - 1)]


class LiveAsked(Sent):
    after: Annotated[
        Position, Field(description="An operator's last position seen; the header Last-Event-ID goes before")
    ] = None


async def live(request: Request[None, LiveAsked]) -> web.StreamResponse:
    after = _last_event(request.http) or request.query.after
    return await serve_stream(request.http, request.parts, request.principal, request.secret, after)


def _last_event(http: web.Request) -> int | None:
    last = http.headers.get("Last-Event-ID")
    if not last:
        return None
    if not (last.isascii() and last.isdigit() and len(last) <= 19):
        raise Malformed(f"Last-Event-ID {last[:40]!r} is no position", field="Last-Event-ID")
    return int(last)
