"""The one table of routes. From it come registration, access checks, limits on bodies, and the OpenAPI document."""

from __future__ import annotations

from typing import Any

from dispatch.access import TokenRole
from dispatch.web.api import alarms, cases, latency, links, operations, push, receipts, replies, session, stream
from dispatch.web.endpoint import EVERYBODY, Request, Route
from dispatch.web.openapi import document
from dispatch.web.views import CaseView

OPERATOR: frozenset[TokenRole] = frozenset({"operator"})
RESPONDER: frozenset[TokenRole] = frozenset({"responder"})
CALLED: frozenset[TokenRole] = OPERATOR | RESPONDER
PRESSING: frozenset[TokenRole] = OPERATOR | frozenset({"device"})
INVOLVED: frozenset[TokenRole] = CALLED | PRESSING

SMALL = 4 * 1024


async def openapi(_request: Request[None, None]) -> dict[str, Any]:
    return document(ROUTES)


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
        query=cases.FreshAsked,
        answer=cases.Timeline,
        summary="What happened on the case, second by second",
    ),
    Route(
        method="GET",
        path="/v1/cases/{id}/calls",
        handler=cases.calls,
        roles=CALLED,
        query=cases.FreshAsked,
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
        handler=cases.cancel,
        roles=PRESSING,
        body=cases.CancelSent,
        answer=CaseView,
        summary="Call the alarm off",
    ),
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
    Route(
        method="GET",
        path="/v1/latency",
        handler=latency.latency,
        roles=OPERATOR,
        query=latency.LatencyAsked,
        answer=latency.Latency,
        summary="Response times, per case and in sum",
    ),
    Route(
        method="GET",
        path="/v1/dlq",
        handler=operations.dead_letters,
        roles=OPERATOR,
        query=operations.LettersAsked,
        answer=operations.Letters,
        summary="What could not be processed, newest first",
    ),
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
    Route(
        method="POST",
        path="/v1/push-subscriptions",
        handler=push.subscribe,
        roles=RESPONDER,
        body=push.SubscriptionSent,
        answer=push.Subscriptions,
        max_body=SMALL,
        summary="Ring this browser by Web Push",
    ),
    Route(
        method="DELETE",
        path="/v1/push-subscriptions",
        handler=push.unsubscribe,
        roles=RESPONDER,
        body=push.UnsubscriptionSent,
        answer=push.Subscriptions,
        max_body=SMALL,
        summary="Ring this browser no more",
    ),
    Route(
        method="POST",
        path="/v1/rings/{notification}/receipt",
        handler=receipts.post_receipt,
        roles=RESPONDER,
        body=receipts.ReceiptSent,
        answer=receipts.ReceiptTaken,
        max_body=SMALL,
        summary="This page rings, or its alert was seen",
    ),
    Route(
        method="GET",
        path="/r/{link}/case",
        handler=links.link_case,
        open=True,
        answer=CaseView,
        summary="The case that a one-tap link is for",
    ),
    Route(
        method="POST",
        path="/r/{link}",
        handler=links.link_answer,
        open=True,
        body=replies.AnswerSent,
        answer=CaseView,
        max_body=SMALL,
        summary="Answer by a one-tap link",
    ),
    Route(
        method="POST",
        path="/r/{link}/receipt",
        handler=links.link_receipt,
        open=True,
        body=links.LinkReceiptSent,
        answer=receipts.ReceiptTaken,
        max_body=SMALL,
        summary="A notification arrived, or was seen",
    ),
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
    Route(
        method="GET",
        path="/v1/openapi.json",
        handler=openapi,
        open=True,
        answer=dict[str, Any],
        summary="This document",
    ),
)
