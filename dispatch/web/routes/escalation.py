"""What an operator can do about the escalation of a case."""

from __future__ import annotations

from dispatch.web.api import escalation
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import OPERATOR

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/cases/{id}/widen",
        handler=escalation.widen,
        roles=OPERATOR,
        body=escalation.NothingSent,
        answer=CaseView,
        summary="Take the next step of the escalation at once",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/pause",
        handler=escalation.pause,
        roles=OPERATOR,
        body=escalation.PauseSent,
        answer=CaseView,
        summary="Hold the escalation back for some minutes",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/resume",
        handler=escalation.resume,
        roles=OPERATOR,
        body=escalation.NothingSent,
        answer=CaseView,
        summary="Take the pause back",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/stand-down",
        handler=escalation.stand_down,
        roles=OPERATOR,
        body=escalation.StandDownSent,
        answer=CaseView,
        summary="Tell those who have not answered that they need not come",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/calls",
        handler=escalation.call_one,
        roles=OPERATOR,
        body=escalation.CallOneSent,
        answer=CaseView,
        summary="Call one more person",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/hand-over",
        handler=escalation.hand_over,
        roles=OPERATOR,
        body=escalation.HandOverSent,
        answer=CaseView,
        summary="Hand the case over to 110",
    ),
)
