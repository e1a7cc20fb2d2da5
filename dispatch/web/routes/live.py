"""The live stream."""

from __future__ import annotations

from dispatch.web.api import stream
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import INVOLVED

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/live",
        handler=stream.live,
        roles=INVOLVED,
        query=stream.LiveAsked,
        answer=str,
        media="text/event-stream",
        summary="The live stream: a snapshot, then what changes",
    ),
)
