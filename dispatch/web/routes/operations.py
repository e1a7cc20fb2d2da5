"""Whether this process is well, for those who run it."""

from __future__ import annotations

from dispatch.web.api import operations
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import OPERATOR

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/healthz",
        handler=operations.healthz,
        open=True,
        answer=operations.Health,
        summary="Whether this process is up",
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=operations.readyz,
        open=True,
        answer=operations.Readiness,
        summary="Whether alarms can be taken here",
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=operations.metrics,
        roles=OPERATOR | frozenset({"monitor"}),
        answer=str,
        media="text/plain",
        summary="Metrics for Prometheus",
    ),
)
