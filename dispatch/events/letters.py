"""What is kept in the DLQ, and what was done about it.

A letter is never changed or deleted. Each deed (a retry, a dismissal, its undoing) is a message of its own in the same
stream, on `dlq.<site>.mark.<letter>`: who did what, when and why. The last one says how the letter stands. As the
stream drops its oldest messages first, a mark outlives its letter; and as a mark expects the one before it, of two
desks that deal with a letter at once one is told so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from dispatch.clock import now
from dispatch.errors import Conflict, NotFound, Unavailable, Unreadable
from dispatch.events.direct import direct_get, last_of_each
from dispatch.events.dlq import DeadLetter, decode_letter
from dispatch.events.streams import DLQ
from dispatch.identifiers import Site

log = structlog.get_logger()

Deed = Literal["retrying", "retried", "failed", "dismissed", "reopened"]
"""`retrying` until it is known what came of it; `retried`: it was taken; `failed`: it was not, and the letter stays."""
State = Literal["open", "retrying", "retried", "dismissed"]

SEARCHED_BACK = 20_000
CLAIMED_FOR = timedelta(seconds=60)
"""After so long a retry of which nobody said what came of it counts as none: its desk is gone."""
WRONG_LAST_SEQUENCE = 10071
LAST_SEQUENCE = 2**63 - 1
"""A number that is larger stands in no stream, and is none to the server."""
_PAGE = 256
_MARKS_AT_ONCE = 512


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What `by` did about a letter, and why; of a retry that failed, `reason` is the new one."""

    deed: Deed
    by: str
    at: datetime
    reason: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The letter at sequence `seq` of the stream `DLQ`, and the last `mark` on it, which stands at `revision`."""

    seq: int
    letter: DeadLetter
    mark: Mark | None = None
    revision: int = 0

    @property
    def household(self) -> str | None:
        """Whose press or case it was, from its subject; None when that does not say."""
        parts = self.letter.subject.split(".")
        return parts[2 if parts[0] == "cases" else 3] if len(parts) == 4 and parts[0] in {"cases", "intake"} else None

    def state(self, at: datetime) -> State:
        """How it stands at `at`."""
        return state_of(self.mark, at)


def state_of(mark: Mark | None, at: datetime) -> State:
    """How a letter with this last mark stands at `at`."""
    if mark is None or mark.deed in {"failed", "reopened"}:
        return "open"
    if mark.deed == "retrying":
        return "retrying" if at - mark.at < CLAIMED_FOR else "open"
    return "retried" if mark.deed == "retried" else "dismissed"


class Letters:
    """The dead letters of one site. Every method raises `Unavailable` when the server does not answer."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._nc, self._js, self._site = nc, nc.jetstream(), Site(site)

    async def newest(self, limit: int, *, open_only: bool = False) -> list[Kept]:
        """The newest letters, newest first, searched `SEARCHED_BACK` back; with `open_only` those left to do."""
        try:
            state = (await self._js.stream_info(DLQ)).state
        except (NatsError, APIError, TimeoutError) as error:
            raise Unavailable(f"the DLQ does not answer: {error!r}") from error
        window = max(limit, _PAGE)
        while True:
            start = max(state.first_seq, state.last_seq - window + 1, 1)
            found = await self._from(start)
            if open_only:
                at = now()
                found = [kept for kept in found if kept.state(at) in {"open", "retrying"}]
            if len(found) >= limit or start <= max(state.first_seq, 1) or window >= SEARCHED_BACK:
                return found[::-1][:limit]
            window *= 8

    async def get(self, seq: int) -> Kept:
        """The letter at `seq`. Raises `NotFound` when there is none (any more)."""
        request: dict[str, object] = {"seq": seq, "next_by_subj": f"dlq.{self._site}.*", "batch": 1}
        for message in await direct_get(self._nc, DLQ, request) if 0 < seq <= LAST_SEQUENCE else []:
            if _sequence(message) == seq:
                return (await self._marked([(seq, decode_letter(message.data))]))[0]
        raise NotFound(f"there is no dead letter {seq}; `dispatch dlq list` shows those there are", field="seq")

    async def put(self, kept: Kept, mark: Mark) -> Kept:
        """Store `mark` on the letter. Raises `Conflict` when somebody else marked it since `kept` was read."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(kept.revision)}
        try:
            ack = await self._js.publish(self._subject(kept.seq), msgspec.json.encode(mark), headers=headers)
        except APIError as error:
            if error.err_code == WRONG_LAST_SEQUENCE:
                raise Conflict(
                    f"somebody else has just dealt with letter {kept.seq}; look at it again", field="seq"
                ) from None
            raise Unavailable(f"the DLQ refused the mark on letter {kept.seq}: {error.description}") from error
        except (NatsError, TimeoutError) as error:
            raise Unavailable(f"the DLQ did not acknowledge the mark on letter {kept.seq}; look at it again") from error
        return msgspec.structs.replace(kept, mark=mark, revision=ack.seq)

    async def marks(self, letters: Sequence[int]) -> dict[int, tuple[Mark, int]]:
        """The last mark on each of `letters` that has one, and where it stands."""
        found: dict[int, tuple[Mark, int]] = {}
        for start in range(0, len(letters), _MARKS_AT_ONCE):
            subjects = [self._subject(seq) for seq in letters[start : start + _MARKS_AT_ONCE]]
            for message in await last_of_each(self._nc, DLQ, subjects):
                subject = (message.headers or {})["Nats-Subject"]
                found[letter_of(subject)] = (decode_mark(message.data), _sequence(message))
        return found

    async def _from(self, start: int) -> list[Kept]:
        found: list[tuple[int, DeadLetter]] = []
        pattern = f"dlq.{self._site}.*"
        while page := await direct_get(self._nc, DLQ, {"seq": start, "next_by_subj": pattern, "batch": _PAGE}):
            for message in page:
                start = _sequence(message) + 1
                try:
                    found.append((start - 1, decode_letter(message.data)))
                except Unreadable as error:
                    log.error("dlq.unreadable", seq=start - 1, reason=error.detail)
        return await self._marked(found)

    async def _marked(self, letters: Iterable[tuple[int, DeadLetter]]) -> list[Kept]:
        letters = list(letters)
        marks = await self.marks([seq for seq, _ in letters])
        found: list[Kept] = []
        for seq, letter in letters:
            mark, revision = marks.get(seq, (None, 0))
            found.append(Kept(seq=seq, letter=letter, mark=mark, revision=revision))
        return found

    def _subject(self, seq: int) -> str:
        return f"{marks_of(self._site)[:-1]}{seq}"


def marks_of(site: Site | str) -> str:
    """The subject of every mark of `site`."""
    return f"dlq.{site}.mark.*"


def letter_of(subject: str) -> int:
    """Which letter a mark on `subject` is about."""
    return int(subject.rpartition(".")[2])


def decode_mark(body: bytes) -> Mark:
    """The mark in a message; for one that nobody can read, one that leaves the letter open."""
    try:
        return msgspec.json.decode(body, type=Mark)
    except msgspec.DecodeError:
        return Mark(deed="reopened", by="system", at=now(), reason="the mark cannot be read")


def _sequence(message: Msg) -> int:
    return int((message.headers or {})["Nats-Sequence"])
