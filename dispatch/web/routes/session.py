"""Signing a browser in and out."""

from __future__ import annotations

from dispatch.web.api import session
from dispatch.web.endpoint import EVERYBODY, Route
from dispatch.web.routes.bounds import SMALL

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/session",
        handler=session.sign_in,
        open=True,
        body=session.SessionSent,
        answer=session.Session,
        max_body=SMALL,
        summary="Sign a browser in with a token: sets the identity's cookie",
    ),
    Route(
        method="DELETE",
        path="/v1/session",
        handler=session.sign_out,
        roles=EVERYBODY,
        answer=session.Session,
        summary="Sign a browser out: clears the identity's cookie",
    ),
    Route(
        method="GET",
        path="/v1/me",
        handler=session.me,
        roles=EVERYBODY,
        answer=session.Me,
        summary="Whose token this is",
    ),
)
