"""What becomes of an alarm: it is raised, the case is read, answered, written down upon and closed."""

from __future__ import annotations

from dispatch.web.api import alarms, cancelling, cases, replies
from dispatch.web.api.common import FreshAsked
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import CALLED, INVOLVED, OPERATOR, PRESSING, SMALL

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/alarms",
        handler=alarms.post_alarm,
        roles=PRESSING,
        body=alarms.AlarmSent,
        answer=alarms.AlarmAccepted,
        status=202,
        max_body=SMALL,
        lenient=True,
        summary="Raise an alarm; answered when it is stored durably",
    ),
    Route(
        method="GET",
        path="/v1/cases",
        handler=cases.list_cases,
        roles=OPERATOR,
        query=cases.CasesAsked,
        answer=cases.CasePage,
        summary="The board: cases of the operator's area, newest first",
    ),
    Route(
        method="GET",
        path="/v1/cases/{id}",
        handler=cases.show_case,
        roles=INVOLVED,
        answer=CaseView,
        summary="One case as it is now, from the log",
    ),
    Route(
        method="GET",
        path="/v1/cases/{id}/timeline",
        handler=cases.timeline,
        roles=CALLED,
        query=FreshAsked,
        answer=cases.Timeline,
        summary="What happened on the case, second by second",
    ),
    Route(
        method="GET",
        path="/v1/cases/{id}/calls",
        handler=cases.calls,
        roles=CALLED,
        query=FreshAsked,
        answer=cases.Calls,
        summary="Each call of the case with its outcome",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/replies",
        handler=replies.post_reply,
        roles=CALLED,
        body=replies.ReplySent,
        answer=CaseView,
        summary="Answer: going, cannot, on scene",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/notes",
        handler=cases.add_note,
        roles=CALLED,
        body=cases.NoteSent,
        answer=CaseView,
        summary="Write something down on the case",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/resolve",
        handler=cases.resolve,
        roles=OPERATOR,
        body=cases.ResolveSent,
        answer=CaseView,
        summary="Close the case",
    ),
    Route(
        method="POST",
        path="/v1/cases/{id}/cancel",
        handler=cancelling.cancel,
        roles=PRESSING,
        body=cancelling.CancelSent,
        answer=CaseView,
        summary="Call the alarm off",
    ),
)
