"""The DLQ desk over HTTP: what could not be processed, and what the operators of the whole site do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from dispatch.clock import now
from dispatch.errors import Forbidden, Malformed
from dispatch.events import DlqDesk, Kept, since
from dispatch.web.api.escalation import NothingSent
from dispatch.web.endpoint import Request
from dispatch.web.reading import Flag, Sent, Text

SHOWN_BYTES = 2000
LARGEST_SEQ = 2**53


class LettersAsked(Sent):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    state: Annotated[Literal["open", "all"], Field(description="`all`: those that are dealt with, too")] = "open"


class MarkView(TypedDict):
    deed: str
    by: str
    at: datetime
    reason: str


class LetterView(TypedDict):
    seq: int
    by: str
    reason: str
    at: datetime
    stored_at: datetime
    stream: str
    subject: str
    household: str | None
    body: str
    state: str
    mark: MarkView | None
    can_retry: bool
    old_press: bool


class LettersFound(TypedDict):
    letters: list[LetterView]
    count: int


class RetrySent(Sent):
    old_press: Annotated[
        Flag, Field(description="the press is more than ten minutes old, and yet everybody is to be rung")
    ] = False


class DismissSent(Sent):
    reason: Annotated[Text, Field(min_length=1, max_length=500)]


async def dead_letters(request: Request[None, LettersAsked]) -> LettersFound:
    """The newest dead letters. What stands in them is for those who may see the whole site."""
    desk = request.parts.deps.dlq
    found = await desk.letters.newest(request.query.limit, open_only=request.query.state == "open")
    whole_site = request.principal.area is None
    return {
        "letters": [_letter(desk, kept) if whole_site else _hidden(desk, kept) for kept in found],
        "count": request.parts.board.trouble.dlq["count"],
    }


async def retry(request: Request[RetrySent, None]) -> LetterView:
    """Have it processed again. The answer says how the letter stands then: `retried`, or open with the new reason."""
    seq, desk = _named(request), request.parts.deps.dlq
    return _letter(desk, await desk.retry(seq, request.author, old_press=request.body.old_press))


async def dismiss(request: Request[DismissSent, None]) -> LetterView:
    """Put it aside. It is kept, and can be taken up again."""
    seq, desk = _named(request), request.parts.deps.dlq
    return _letter(desk, await desk.dismiss(seq, request.author, request.body.reason))


async def reopen(request: Request[NothingSent, None]) -> LetterView:
    """Undo a dismissal."""
    seq, desk = _named(request), request.parts.deps.dlq
    return _letter(desk, await desk.reopen(seq, request.author))


def _named(request: Request[Any, Any]) -> int:
    """Which letter the path names. Raises `Forbidden` for an operator of one area, before they learn of any letter."""
    if request.principal.area is not None:
        raise Forbidden("dead letters are dealt with by operators of the whole site", field="area")
    text = request.path("seq")
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and 0 < int(text) < LARGEST_SEQ):
        raise Malformed(f"{text[:80]!r} is not the number of a letter", field="seq")
    return int(text)


def _letter(desk: DlqDesk, kept: Kept) -> LetterView:
    letter, mark = kept.letter, kept.mark
    return {
        "seq": kept.seq,
        "by": letter.by,
        "reason": mark.reason if mark is not None and mark.deed == "failed" else letter.reason,
        "at": letter.at,
        "stored_at": since(kept),
        "stream": letter.stream,
        "subject": letter.subject,
        "household": kept.household,
        "body": letter.body[:SHOWN_BYTES].decode(errors="replace"),
        "state": kept.state(now()),
        "mark": {"deed": mark.deed, "by": mark.by, "at": mark.at, "reason": mark.reason} if mark else None,
        "can_retry": desk.can_retry(kept),
        "old_press": desk.is_old_press(kept),
    }


def _hidden(desk: DlqDesk, kept: Kept) -> LetterView:
    """What somebody may know who sees one area alone: a reason or a subject may name another area's household."""
    return {**_letter(desk, kept), "reason": "", "subject": "", "household": None, "body": "", "mark": None}
