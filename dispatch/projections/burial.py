"""What cannot be projected goes to the DLQ once, however often the log is read again."""

from __future__ import annotations

from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.clock import now
from dispatch.errors import Unreadable
from dispatch.events import DLQ, DeadLetter, Letters, bury, decode_letter, direct_get, state_of
from dispatch.identifiers import Site
from dispatch.projections.metrics import POISON

log = structlog.get_logger()

_PAGE = 256


class Burials:
    """The letters of one site's projections about the stream that was made at `stream_created`."""

    def __init__(self, nc: Client, site: Site, stream_created: datetime) -> None:
        self._nc, self._site, self._created = nc, site, stream_created
        self._known: dict[str, set[int]] = {}
        self._dealt_with: dict[tuple[str, int], int] = {}
        """Letters that were tried again with success: what cannot be projected after that is another letter."""

    async def bury(self, by: str, message: Msg, reason: str) -> None:
        """Copy `message` to the DLQ unless `by` has done so before. Raises `Unavailable` and errors of NATS."""
        if by not in self._known:
            self._known[by] = await self._letters(by)
        seq = message.metadata.sequence.stream
        if seq in self._known[by]:
            return
        after = self._dealt_with.get((by, seq))
        await bury(self._nc.jetstream(), self._site, by, message, reason, after=after)
        self._known[by].add(seq)
        POISON.labels(by).inc()
        log.error("project.buried", by=by, seq=seq, subject=message.subject, reason=reason)

    async def _letters(self, by: str) -> set[int]:
        found: dict[int, int] = {}
        after = 0
        while True:
            request: dict[str, object] = {"seq": after + 1, "next_by_subj": f"dlq.{self._site}.{by}", "batch": _PAGE}
            page = await direct_get(self._nc, DLQ, request)
            for message in page:
                after = int((message.headers or {})["Nats-Sequence"])
                letter = _letter(message)
                if letter is not None and letter.at >= self._created:
                    found[letter.seq] = after
            if len(page) < _PAGE:
                return await self._not_dealt_with(by, found)

    async def _not_dealt_with(self, by: str, found: dict[int, int]) -> set[int]:
        """The commits of `found` (each with its newest letter) whose letter still says how it is."""
        marks, at = await Letters(self._nc, self._site).marks([*found.values()]), now()
        retried = {number for number, (mark, _) in marks.items() if state_of(mark, at) == "retried"}
        self._dealt_with |= {(by, seq): number for seq, number in found.items() if number in retried}
        return {seq for seq, number in found.items() if number not in retried}


def _letter(message: Msg) -> DeadLetter | None:
    try:
        return decode_letter(message.data)
    except Unreadable:
        return None
