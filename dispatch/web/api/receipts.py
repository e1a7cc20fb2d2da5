"""What a phone says of a call: that it has arrived (`delivered`), that somebody has seen it (`seen`)."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from dispatch.cases import Case, RecordCalls
from dispatch.clock import now
from dispatch.errors import NotFound, Refused
from dispatch.events import CallOutcome, Channel
from dispatch.identifiers import CommitId, NotificationId, PersonId, notification_id, short_hash
from dispatch.web.access import may_see
from dispatch.web.api.common import case_or_none, no_case
from dispatch.web.endpoint import Request
from dispatch.web.parts import Parts
from dispatch.web.reading import Sent

Seen = Literal["delivered", "seen"]


class ReceiptSent(Sent):
    outcome: Seen


class ReceiptTaken(TypedDict):
    case: str
    outcome: Seen


async def post_receipt(request: Request[ReceiptSent, None]) -> ReceiptTaken:
    """A page says that it has the call. Whoever asked it, and still waits, records that; else it is recorded here."""
    notification, outcome = NotificationId(request.path("notification")), request.body.outcome
    case = await _case_of(request, notification)
    awaited = request.parts.rings.confirm(notification)
    if not awaited or outcome == "seen":
        await record(request.parts, case, PersonId(request.principal.subject), "live", outcome)
    return {"case": case.id, "outcome": outcome}


async def record(parts: Parts, case: Case, person: PersonId, channel: Channel, outcome: Seen) -> None:
    """Record on `case` what came of the newest call of `person` over `channel`.

    Raises `Refused` when they were never called over it.
    """
    step, at = _newest_step(case, person, channel), now()
    known = CallOutcome(step=step, responder=person, channel=channel, outcome=outcome, at=at)
    receipt = CommitId(short_hash("receipt", person, str(step), channel, outcome, length=26))
    await parts.deps.desk.handle(case.id, RecordCalls(id=receipt, at=at, outcomes=(known,)))


def _newest_step(case: Case, person: PersonId, channel: Channel) -> int:
    over = {call.step: call.channels for call in case.calls.values() if call.responder == person}
    steps = [step for step, channels in over.items() if channel in channels]
    if not steps:
        known = ", ".join(sorted({one for channels in over.values() for one in channels}))
        raise Refused(
            f"channel {channel!r}: you were not called over it on case {case.id}; say over which you were: {known}",
            field="channel",
            value=channel,
        )
    return max(steps)


async def _case_of(request: Request[ReceiptSent, None], notification: NotificationId) -> Case:
    """The case that `notification` rings the caller for. Raises `NotFound` for anybody else's."""
    parts, person = request.parts, PersonId(request.principal.subject)
    candidates = [case.id for case in parts.board.visible(request.principal)]
    if (ringing := parts.rings.case_of(notification)) is not None:
        candidates.append(ringing)
    for case_id in candidates:
        if notification_id(case_id, person) == notification:
            case = await case_or_none(parts, case_id)
            if case is None or not may_see(request.principal, case):
                raise no_case(case_id)
            return case
    raise NotFound(f"there is no call {notification[:40]!r} to you on any case that is open", field="notification")
