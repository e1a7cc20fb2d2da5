"""The one table of routes. From it come registration, access checks, limits on bodies, and the OpenAPI document.

Their order is that of registration, where the first that fits a path is taken, and of the document.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from dispatch.web.endpoint import Request, Route
from dispatch.web.openapi import document
from dispatch.web.routes import (
    cases,
    dlq,
    drills,
    escalation,
    households,
    live,
    operations,
    people,
    phones,
    reports,
    session,
)

__all__ = ["ROUTES"]


async def openapi(_request: Request[None, None]) -> dict[str, Any]:
    return described()


@cache
def described() -> dict[str, Any]:
    """The document, made once: that takes a tenth of a second, in the process that takes alarms."""
    return document(ROUTES)


ROUTES: tuple[Route, ...] = (
    *cases.ROUTES,
    *escalation.ROUTES,
    *households.ROUTES,
    *people.ROUTES,
    *live.ROUTES,
    *reports.ROUTES,
    *drills.ROUTES,
    *dlq.ROUTES,
    *session.ROUTES,
    *phones.ROUTES,
    *operations.ROUTES,
    Route(
        method="GET",
        path="/v1/openapi.json",
        handler=openapi,
        open=True,
        answer=dict[str, Any],
        summary="This document",
    ),
)
