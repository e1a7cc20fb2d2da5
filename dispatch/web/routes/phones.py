"""The phones of those who are called: push, receipts, and one-tap links."""

from __future__ import annotations

from dispatch.web.api import links, push, receipts, replies
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import RESPONDER, SMALL

ROUTES: tuple[Route, ...] = (
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
)
