"""The signed one-tap link of a notification: it answers without a sign-in. Opening it changes nothing."""

from __future__ import annotations

from typing import Any

from dispatch.cases import Case, GiveAnswer
from dispatch.clock import now
from dispatch.errors import NotSignedIn
from dispatch.events import Channel
from dispatch.identifiers import PersonId
from dispatch.web.api.common import case_or_none, no_case, shown
from dispatch.web.api.receipts import ReceiptSent, ReceiptTaken, record
from dispatch.web.api.replies import AnswerSent
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Request
from dispatch.web.views import Viewer, without_whereabouts


class LinkReceiptSent(ReceiptSent):
    channel: Channel


async def link_case(request: Request[None, None]) -> CaseView:
    case, person = await _claimed(request)
    return await _shown(request, case, person)


async def link_answer(request: Request[AnswerSent, None]) -> CaseView:
    case, person = await _claimed(request)
    command = GiveAnswer(
        id=request.once("reply", case.id, person),
        at=now(),
        responder=person,
        answer=request.body.answer,
        via="link",
        eta_minutes=request.body.eta_minutes,
    )
    handled = await request.parts.deps.desk.handle(case.id, command)
    return await _shown(request, handled.case, person)


async def link_receipt(request: Request[LinkReceiptSent, None]) -> ReceiptTaken:
    case, person = await _claimed(request)
    await record(request.parts, case, person, request.body.channel, request.body.outcome)
    return {"case": case.id, "outcome": request.body.outcome}


async def _shown(request: Request[Any, None], case: Case, person: PersonId) -> CaseView:
    """The case; once it is over only that it is: a link lives for days, and is in a chat or a lost phone by then."""
    seen = await shown(request.parts, case, Viewer("responder", person))
    return seen if case.as_known_by(person).is_open else without_whereabouts(seen)


async def _claimed(request: Request[Any, None]) -> tuple[Case, PersonId]:
    """Which case the link is for, and who holds it. Raises `NotSignedIn`, or `NotFound` when they were never called."""
    parts = request.parts
    try:
        claims = parts.deps.links.read(request.path("link"))
    except NotSignedIn:
        parts.gate.failed(request.http)
        raise
    case = await case_or_none(parts, claims.case)
    if case is None or claims.responder not in case.called():
        raise no_case(claims.case)
    return case, claims.responder
