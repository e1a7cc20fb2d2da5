"""The DLQ desk over HTTP: what could not be processed, and what the operators of the whole site do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from dispatch.clock import now
from dispatch.errors import Forbidden, Malformed, Oversized, Unavailable
from dispatch.events import INTAKE, DlqDesk, Kept, decode_press, since
from dispatch.identifiers import HouseholdId
from dispatch.roster import Household, Roster
from dispatch.web.api.escalation import NothingSent
from dispatch.web.endpoint import Request
from dispatch.web.reading import Flag, Sent, Text

SHOWN_BYTES = 2000
LARGEST_SEQ = 2**53
NONE: Mapping[HouseholdId, Household] = MappingProxyType({})


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
    household_name: str | None
    phone: str | None
    readable: bool
    """False for a press that nobody can be called for, however often it is tried."""
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
    homes = await _homes(request.parts.deps.roster, found) if whole_site else {}
    return {
        "letters": [_letter(desk, kept, homes) if whole_site else _hidden(desk, kept) for kept in found],
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


async def _homes(roster: Roster, letters: Iterable[Kept]) -> Mapping[HouseholdId, Household]:
    """Whose they are, as far as the roster says."""
    with suppress(Unavailable):
        return await roster.households({HouseholdId(kept.household) for kept in letters if kept.household})
    return {}


def _readable(kept: Kept) -> bool:
    letter = kept.letter
    if letter.stream != INTAKE:
        return True
    try:
        decode_press(letter.subject, letter.headers, letter.body, since(kept))
    except (Malformed, Oversized):
        return False
    return True


def _letter(desk: DlqDesk, kept: Kept, homes: Mapping[HouseholdId, Household] = NONE) -> LetterView:
    letter, mark = kept.letter, kept.mark
    home = homes.get(HouseholdId(kept.household or ""))
    return {
        "seq": kept.seq,
        "by": letter.by,
        "reason": mark.reason if mark is not None and mark.deed == "failed" else letter.reason,
        "at": letter.at,
        "stored_at": since(kept),
        "stream": letter.stream,
        "subject": letter.subject,
        "household": kept.household,
        "household_name": home.name if home else None,
        "phone": home.phone if home else None,
        "readable": _readable(kept),
        "body": letter.body[:SHOWN_BYTES].decode(errors="replace"),
        "state": kept.state(now()),
        "mark": {"deed": mark.deed, "by": mark.by, "at": mark.at, "reason": mark.reason} if mark else None,
        "can_retry": desk.can_retry(kept),
        "old_press": desk.is_old_press(kept),
    }


def _hidden(desk: DlqDesk, kept: Kept) -> LetterView:
    """What somebody may know who sees one area alone: a reason or a subject may name another area's household."""
    return {**_letter(desk, kept), "reason": "", "subject": "", "household": None, "body": "", "mark": None}
