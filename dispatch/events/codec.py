"""A commit as bytes and back. One message of the log is one commit: a list of events of one case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from dispatch.errors import Unreadable
from dispatch.events.envelope import CloudEvent, headers_of
from dispatch.events.types import AlarmRaised, Event
from dispatch.events.upcasting import Document, upcast
from dispatch.identifiers import CaseId, CommitId, Site, is_past

COMMIT_TYPE = "dispatch.case.commit.v1"
STORED_AT = "Dispatch-Stored-At"
"""On a message that was restored: when it was stored at first."""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to `case` at once. `seq` and `stored_at` are given by the stream."""

    id: CommitId
    case: CaseId
    events: tuple[Event, ...]
    seq: int
    stored_at: datetime


class _Body(msgspec.Struct):
    events: tuple[Event, ...]


class _Documents(msgspec.Struct):
    events: list[Document]


_encoder = msgspec.json.Encoder()
_bodies = msgspec.json.Decoder(_Body)
_documents = msgspec.json.Decoder(_Documents)


def case_subject(site: Site | str, case: CaseId, household: str) -> str:
    """Where the commits of `case` stand in the log; those of an imported one, where nobody acts on them."""
    return f"{'history' if is_past(case) else 'cases'}.{site}.{household}.{case}"


def live_cases(site: Site | str, household: str = "*") -> str:
    """The subject of every commit of cases played at `site`, of a `household` or all; not of imported ones."""
    return f"cases.{site}.{household}.*"


def all_cases(site: Site | str) -> str:
    """The subject of every commit of `site`, those of imported cases among them."""
    return f"*.{site}.*.*"


def encode_events(events: Sequence[Event]) -> bytes:
    return _encoder.encode(_Body(tuple(events)))


def commit_headers(site: Site, case: CaseId, commit: CommitId, at: datetime) -> dict[str, str]:
    """The CloudEvents headers of a commit decided at `at`."""
    return headers_of(CloudEvent(id=commit, source=f"/dispatch/{site}/cases", type=COMMIT_TYPE, subject=case, time=at))


def decode_events(body: bytes) -> tuple[Event, ...]:
    """The events of a commit, each at its newest version. Raises `Unreadable` for anything else."""
    try:
        return _bodies.decode(body).events
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_old(body)


def _decode_old(body: bytes) -> tuple[Event, ...]:
    try:
        documents = [upcast(document) for document in _documents.decode(body).events]
        return msgspec.convert(documents, tuple[Event, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError) as error:
        raise Unreadable(f"not a commit of a case: {error}") from None


def decode_commit(
    subject: str, headers: Mapping[str, str] | None, body: bytes, *, seq: int, stored_at: datetime
) -> Commit:
    """The commit in a message of the stream `CASES`. Raises `Unreadable` with the reason when it is none."""
    household, case = case_on(subject)
    if headers is None or "ce-id" not in headers:
        raise Unreadable(f"not a commit of a case: subject {subject!r}, headers {sorted(headers or ())}")
    if STORED_AT in headers:
        stored_at = datetime.fromisoformat(headers[STORED_AT])
    return Commit(
        id=CommitId(headers["ce-id"]), case=case, events=events_of(household, case, body), seq=seq, stored_at=stored_at
    )


def case_on(subject: str) -> tuple[str, CaseId]:
    """The household and the case whose commits stand on `subject`. Raises `Unreadable` when none do."""
    parts = subject.split(".")
    if len(parts) != 4:
        raise Unreadable(f"not a commit of a case: subject {subject!r}")
    return parts[2], CaseId(parts[3])


def events_of(household: str, case: CaseId, body: bytes) -> tuple[Event, ...]:
    """The events of a commit of `case`. Raises `Unreadable` when there are none, or they are of another."""
    events = decode_events(body)
    if not events:
        raise Unreadable("a commit without events")
    for event in events:
        if isinstance(event, AlarmRaised) and (event.case, event.household) != (case, household):
            raise Unreadable(f"an alarm of another case or household than {household}, {case}")
    return events
