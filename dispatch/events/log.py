"""The log of cases: append with optimistic concurrency, load one case, follow from a position.

All cases of a household share the subject prefix `cases.<site>.<household>.`; a case is opened by an
append that expects the household's last sequence, so that the log itself admits one opening at a time.
The last commit of a household belongs to its newest case, unless it came late to one that was over
(a receipt, a note): then its header says which case is the newest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from dispatch.clock import for_server, now, of_server
from dispatch.errors import DispatchError, Unavailable, Unreadable
from dispatch.events.codec import (
    Commit,
    all_cases,
    case_subject,
    commit_headers,
    decode_commit,
    encode_events,
    live_cases,
)
from dispatch.events.direct import direct_get
from dispatch.events.streams import CASES
from dispatch.events.subscription import follow
from dispatch.events.types import Event
from dispatch.identifiers import CaseId, CommitId, HouseholdId, Site, household_of

log = structlog.get_logger()

APPEND_SECONDS = 2.0
"""How long one try waits for the acknowledgement."""
APPEND_TRIES = 5
WRONG_LAST_SEQUENCE = 10071
NEWEST_CASE = "Dispatch-Newest-Case"
_LOAD_BATCH = 256


class Stale(DispatchError):
    """Somebody else appended first: load, decide and append again."""


class Head(msgspec.Struct, frozen=True):
    """Where a household stands: its newest `case`, and the sequence of the last commit of any of its cases."""

    case: CaseId
    seq: int
    case_seq: int
    """The newest case has got as far as this at least; one that is loaded with less came from a replica behind."""
    at: datetime
    """When that last commit was stored."""


class CaseLog:
    """The stream `CASES` of one site."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._nc, self._js, self.site = nc, nc.jetstream(), Site(site)

    async def append(
        self,
        case: CaseId,
        events: Sequence[Event],
        *,
        commit: CommitId,
        at: datetime,
        after: int,
        newest: CaseId | None = None,
    ) -> Commit:
        """Store `events` as one commit, durably, and return it with its sequence; stored `at`, or else it was there.

        `after` is the last sequence the decision was made on: the case's own, or with `newest` the household's
        (0 for none). `newest` must be given to open a case (that case itself) and for a case that is over
        (what `head` says). The same `commit` id is stored once however often it is sent.
        Raises `Stale` when something came in between, `Unavailable` when no acknowledgement came.
        """
        household = household_of(case)
        subject = case_subject(self.site, case, household)
        headers = commit_headers(self.site, case, commit, at)
        headers["Nats-Msg-Id"] = f"{self.site}:{case}:{commit}"
        headers["Nats-Expected-Last-Subject-Sequence"] = str(after)
        if newest is not None:
            headers["Nats-Expected-Last-Subject-Sequence-Subject"] = live_cases(self.site, household)
            if newest != case:
                headers[NEWEST_CASE] = newest
        stored = await self._store(subject, events, headers, case, after)
        if isinstance(stored, Commit):
            return stored
        return Commit(id=commit, case=case, events=tuple(events), seq=stored, stored_at=at)

    async def keep_past(self, case: CaseId, events: Sequence[Event], *, commit: CommitId) -> bool:
        """Store an imported case whole, where nobody acts on it; gives whether it was not there before.

        Raises `Stale` when it is there with another `commit` id, `Unavailable` when no acknowledgement came.
        """
        headers = commit_headers(self.site, case, commit, now())
        headers["Nats-Msg-Id"] = f"{self.site}:{case}:{commit}"
        headers["Nats-Expected-Last-Subject-Sequence"] = "0"
        subject = case_subject(self.site, case, household_of(case))
        return isinstance(await self._store(subject, events, headers, case, 0), int)

    async def _store(
        self, subject: str, events: Sequence[Event], headers: dict[str, str], case: CaseId, after: int
    ) -> int | Commit:
        """The sequence it was stored at; or the commit of that id that was there, for its events need not be these."""
        body, commit = encode_events(events), CommitId(headers["ce-id"])
        for attempt in range(APPEND_TRIES):
            try:
                # publish() changes the headers it is given.
                ack = await self._js.publish(subject, body, timeout=APPEND_SECONDS, headers=dict(headers))
            except APIError as error:
                if error.err_code != WRONG_LAST_SEQUENCE:
                    raise Unavailable(f"the log refused case {case}: {error.description}") from error
                # Our own earlier try may be what came in between: its acknowledgement was lost.
                if (mine := await self._find(case, commit, after)) is not None:
                    return mine
                raise Stale(f"case {case} has moved on") from None
            except (NatsError, TimeoutError) as error:
                log.warning("log.append_retry", case=case, commit=commit, attempt=attempt, error=repr(error))
                await asyncio.sleep(0.05 * 2**attempt)
            else:
                found = await self._find(case, commit) if ack.duplicate else None
                return found or ack.seq
        raise Unavailable(f"the log did not acknowledge commit {commit} of case {case}; send it again")

    async def _find(self, case: CaseId, commit: CommitId, after: int = 0) -> Commit | None:
        return next((c for c in await self.load(case, after=after) if c.id == commit), None)

    async def load(self, case: CaseId, *, after: int = 0) -> list[Commit]:
        """The commits of `case` behind sequence `after`, oldest first; none when there is no such case.

        A commit that cannot be read is logged and stands there without events: the rest of the case must go on.
        Raises `Unavailable` when the server does not answer.
        """
        subject = case_subject(self.site, case, household_of(case))
        commits: list[Commit] = []
        while True:
            page = await self._page(subject, after + 1)
            for message in page:
                after = int(message.headers["Nats-Sequence"])  # type: ignore[index]
                try:
                    commits.append(_stored_commit(message, after))
                except Unreadable as error:
                    # Nothing happened that we can read, but it has its place: what is appended comes behind it.
                    log.error("log.unreadable", case=case, seq=after, reason=error.detail)
                    commits.append(Commit(id=CommitId(""), case=case, events=(), seq=after, stored_at=now()))
            if len(page) < _LOAD_BATCH:
                return commits

    async def _page(self, subject: str, start: int) -> list[Msg]:
        request = {"seq": start, "next_by_subj": subject, "batch": _LOAD_BATCH}
        return await direct_get(self._nc, CASES, request)

    async def head(self, household: HouseholdId) -> Head | None:
        """The newest case of `household` and its last commit, or None when it never had one.

        Raises `Unavailable` when the server does not answer.
        """
        try:
            message = await self._js.get_last_msg(CASES, live_cases(self.site, household))
        except NotFoundError:
            return None
        except (NatsError, APIError, TimeoutError) as error:
            raise Unavailable(f"the log does not answer: {error!r}") from error
        last, seq = CaseId(str(message.subject).rpartition(".")[2]), int(message.seq or 0)
        newest = (message.headers or {}).get(NEWEST_CASE)
        at = of_server(message.time) if message.time else now()
        return Head(CaseId(newest), seq, case_seq=1, at=at) if newest else Head(last, seq, case_seq=seq, at=at)

    async def cases_since(self, household: HouseholdId, since: datetime) -> list[CaseId]:
        """The cases of `household` on which anything was stored since `since`. Raises `Unavailable`."""
        subject = live_cases(self.site, household)
        place: dict[str, object] = {"start_time": for_server(since).isoformat()}
        cases: dict[CaseId, None] = {}
        while True:
            page = await direct_get(self._nc, CASES, {**place, "next_by_subj": subject, "batch": _LOAD_BATCH})
            headers = [message.headers or {} for message in page]
            cases |= dict.fromkeys(CaseId(of["Nats-Subject"].rpartition(".")[2]) for of in headers)
            if len(page) < _LOAD_BATCH:
                return list(cases)
            place = {"seq": int(headers[-1]["Nats-Sequence"]) + 1}

    async def follow(self, *, after: int = 0, past: bool = False) -> AsyncIterator[Msg]:
        """Every stored message of this site behind sequence `after`, in order, for ever; see `commit_of`.

        With `past` those of imported cases as well.
        """
        subject = all_cases(self.site) if past else live_cases(self.site)
        async for message in follow(self._nc, CASES, subject, after=after):
            yield message

    async def last_sequence(self) -> int:
        """The sequence of the newest message in the stream, of any site; 0 for none.

        Raises `Unavailable` when the server does not answer.
        """
        try:
            info = await self._js.stream_info(CASES)
        except (NatsError, APIError, TimeoutError) as error:
            raise Unavailable(f"the log does not answer: {error!r}") from error
        return info.state.last_seq


def commit_of(message: Msg) -> Commit:
    """The commit in a message that a consumer delivered. Raises `Unreadable` when it is none."""
    metadata = message.metadata
    return decode_commit(
        message.subject,
        message.headers,
        message.data,
        seq=metadata.sequence.stream,
        stored_at=of_server(metadata.timestamp),
    )


def _stored_commit(message: Msg, seq: int) -> Commit:
    headers = message.headers or {}
    stored_at = of_server(datetime.fromisoformat(headers["Nats-Time-Stamp"]))
    return decode_commit(headers["Nats-Subject"], headers, message.data, seq=seq, stored_at=stored_at)
