"""What could not be processed."""

from __future__ import annotations

from dispatch.web.api import dlq, escalation
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import OPERATOR, SMALL

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/dlq",
        handler=dlq.dead_letters,
        roles=OPERATOR,
        query=dlq.LettersAsked,
        answer=dlq.LettersFound,
        summary="What could not be processed, newest first",
    ),
    Route(
        method="POST",
        path="/v1/dlq/{seq}/retry",
        handler=dlq.retry,
        roles=OPERATOR,
        body=dlq.RetrySent,
        answer=dlq.LetterView,
        max_body=SMALL,
        summary="Have a dead letter's message processed again",
    ),
    Route(
        method="POST",
        path="/v1/dlq/{seq}/dismiss",
        handler=dlq.dismiss,
        roles=OPERATOR,
        body=dlq.DismissSent,
        answer=dlq.LetterView,
        max_body=SMALL,
        summary="Put a dead letter aside; it is kept",
    ),
    Route(
        method="POST",
        path="/v1/dlq/{seq}/reopen",
        handler=dlq.reopen,
        roles=OPERATOR,
        body=escalation.NothingSent,
        answer=dlq.LetterView,
        max_body=SMALL,
        summary="Undo the dismissal of a dead letter",
    ),
)
