"""The desk for what could not be processed: try it again, or put it aside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from dispatch.clock import Clock, now
from dispatch.errors import Conflict, Malformed, Refused, Unavailable
from dispatch.events.letters import Deed, Kept, Letters, Mark
from dispatch.events.streams import INTAKE

log = structlog.get_logger()

OLD_PRESS = timedelta(minutes=10)
"""A press that waited longer rings only when somebody has said that they know how old it is."""
LONGEST_REASON = 500

Retry = Callable[[Kept], Awaitable[None]]
"""Has a letter's message processed again. Raises `Refused` with the reason when its cause is still there, and
`Unavailable` when nobody can say so now."""


class DlqDesk:
    """Deals with the letters of one site. `retry_of` says how a letter is tried again; None for one that cannot be."""

    def __init__(self, letters: Letters, retry_of: Callable[[Kept], Retry | None], clock: Clock = now) -> None:
        self.letters, self._retry_of, self._clock = letters, retry_of, clock

    def can_retry(self, kept: Kept) -> bool:
        return self._retry_of(kept) is not None

    def is_old_press(self, kept: Kept) -> bool:
        """Whether retrying this letter would ring people for a press that is long past."""
        return kept.letter.stream == INTAKE and self.age(kept) > OLD_PRESS

    def age(self, kept: Kept) -> timedelta:
        """How long ago its message was stored."""
        return self._clock() - since(kept)

    async def retry(self, seq: int, by: str, *, old_press: bool = False) -> Kept:
        """Have the letter's message processed again; the letter afterwards, `retried` or open with the new reason.

        Raises `NotFound`; `Conflict` when it is dealt with already, when somebody is at it, or for a press of more than
        `OLD_PRESS` unless `old_press`; `Refused` when nothing can try it; `Unavailable`.
        """
        kept = await self.letters.get(seq)
        self._require_open(kept)
        again = self._retry_of(kept)
        if again is None:
            raise Refused(f"nothing can try a letter of {kept.letter.by!r} again; dismiss it", field="seq")
        if self.is_old_press(kept) and not old_press:
            minutes = int(self.age(kept).total_seconds() // 60)
            raise Conflict(
                f"letter {seq} is a press of {minutes} minutes ago: trying it again rings everybody now; "
                "say that you know (old_press)",
                field="old_press",
                minutes=minutes,
            )
        kept = await self._mark(kept, "retrying", by)
        try:
            await again(kept)
        except (Refused, Unavailable) as error:
            log.warning("dlq.failed_again", letter=seq, by=by, reason=error.detail)
            return await self._mark(kept, "failed", by, error.detail)
        except BaseException:
            with suppress(Unavailable, Conflict):
                await self._mark(kept, "failed", by, "the retry was broken off")
            raise
        log.info("dlq.retried", letter=seq, by=by)
        return await self._mark(kept, "retried", by)

    async def dismiss(self, seq: int, by: str, reason: str) -> Kept:
        """Put the letter aside, with the reason. It is kept, and `reopen` takes it up again. Raises as `retry` does."""
        reason = checked_reason(reason)
        kept = await self.letters.get(seq)
        self._require_open(kept)
        return await self._mark(kept, "dismissed", by, reason)

    async def reopen(self, seq: int, by: str) -> Kept:
        """Undo a dismissal. Raises `Conflict` when the letter is not dismissed."""
        kept = await self.letters.get(seq)
        if kept.state(self._clock()) != "dismissed":
            raise Conflict(f"letter {seq} is not dismissed", field="seq")
        return await self._mark(kept, "reopened", by)

    async def _mark(self, kept: Kept, deed: Deed, by: str, reason: str = "") -> Kept:
        return await self.letters.put(kept, Mark(deed=deed, by=by, at=self._clock(), reason=reason))

    def _require_open(self, kept: Kept) -> None:
        state = kept.state(self._clock())
        if state != "open":
            who = f" by {kept.mark.by}" if kept.mark else ""
            raise Conflict(f"letter {kept.seq} is {state}{who}; nothing is left to do", field="seq", letter_state=state)


def since(kept: Kept) -> datetime:
    """When the letter's message was stored; of an old letter that does not say, when it was given up."""
    return kept.letter.stored_at or kept.letter.at


def checked_reason(reason: str) -> str:
    """Why a letter is put aside. Raises `Malformed` for none, and for a speech."""
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise Malformed(f"reason: say in 1 to {LONGEST_REASON} characters why nothing needs to be done", field="reason")
    return reason.strip()
