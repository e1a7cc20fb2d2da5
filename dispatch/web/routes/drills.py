"""Drills, and how well each group can be reached."""

from __future__ import annotations

from dispatch.web.api import drills, escalation
from dispatch.web.drill_views import DrillView, PlanView, ReportView
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import OPERATOR, SMALL

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/drills/plan",
        handler=drills.plan,
        roles=OPERATOR,
        answer=PlanView,
        body=drills.ChoiceSent,
        summary="Who would be rung by a drill",
    ),
    Route(
        method="POST",
        path="/v1/drills",
        handler=drills.begin,
        roles=OPERATOR,
        answer=drills.DrillBegun,
        body=drills.DrillSent,
        summary="Begin a drill: everybody of its plan is rung, marked as a drill",
    ),
    Route(
        method="GET",
        path="/v1/drills",
        handler=drills.list_drills,
        roles=OPERATOR,
        answer=drills.Drills,
        summary="The drills of the operator's area, newest first",
    ),
    Route(
        method="GET",
        path="/v1/drills/{id}",
        handler=drills.report,
        roles=OPERATOR,
        answer=ReportView,
        summary="Who was reached by a drill, and who was not and why",
    ),
    Route(
        method="GET",
        path="/v1/drills/{id}/report.csv",
        handler=drills.report_csv,
        roles=OPERATOR,
        answer=str,
        media="text/csv",
        summary="The same as CSV",
    ),
    Route(
        method="POST",
        path="/v1/drills/{id}/end",
        handler=drills.end,
        roles=OPERATOR,
        answer=DrillView,
        body=escalation.NothingSent,
        max_body=SMALL,
        summary="End a drill now",
    ),
    Route(
        method="GET",
        path="/v1/reachability",
        handler=drills.reachability,
        roles=OPERATOR,
        answer=drills.Reachability,
        query=drills.ReachabilityAsked,
        summary="How well each group can be reached, the worst first",
    ),
)
