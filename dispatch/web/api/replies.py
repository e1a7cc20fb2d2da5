"""Answers of responders who are signed in, or who told an operator."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from dispatch.cases import GiveAnswer
from dispatch.clock import now
from dispatch.errors import Forbidden, Malformed
from dispatch.events import Answer
from dispatch.identifiers import PersonId
from dispatch.web.api.common import carried_out, visible_case
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Request
from dispatch.web.reading import Id, Minutes, Sent


class AnswerSent(Sent):
    answer: Answer
    eta_minutes: Minutes | None = None

    @model_validator(mode="after")
    def _only_who_is_going_arrives(self) -> Self:
        if self.eta_minutes is not None and self.answer != "going":
            raise ValueError("eta_minutes goes with the answer `going` alone; leave it out")
        return self


class ReplySent(AnswerSent):
    responder: Id | None = None


async def post_reply(request: Request[ReplySent, None]) -> CaseView:
    case, sent, principal = await visible_case(request), request.body, request.principal
    command = GiveAnswer(
        id=request.once("reply", case.id),
        at=now(),
        responder=_responder(request),
        answer=sent.answer,
        via="operator" if principal.role == "operator" else "page",
        eta_minutes=sent.eta_minutes,
    )
    return await carried_out(request, case, command)


def _responder(request: Request[ReplySent, None]) -> PersonId:
    principal, named = request.principal, request.body.responder
    if principal.role == "responder":
        if named not in {None, principal.subject}:
            raise Forbidden(f"you cannot answer for {named!r}; leave `responder` out", field="responder")
        return PersonId(principal.subject)
    if named is None:
        raise Malformed("responder is missing: say whose answer this is", field="responder")
    return PersonId(named)
