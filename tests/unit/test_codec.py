"""Events as bytes: today's and every version ever written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from dispatch.cases import Case, evolve
from dispatch.errors import Unreadable
from dispatch.events import AlarmRaised, CallOutcome, Event, PlannedCall, ResponderReplied, upcasting
from dispatch.events.codec import decode_commit, decode_events, encode_events
from dispatch.identifiers import household_of, notification_id, token

GOLDEN = Path(__file__).parent / "golden" / "case.json"
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_the_golden_history_folds_forever() -> None:
    events = decode_events(GOLDEN.read_bytes())
    case = Case()
    for event in events:
        case = evolve(case, event)
    assert case.status == "resolved"
    assert case.alarm.kind == "medical"
    assert [call.best().outcome for call in case.calls.values() if call.best()] == ["delivered", "failed"]  # type: ignore[union-attr]


def test_the_golden_history_has_every_event_there_is() -> None:
    written = {document["type"] for document in msgspec.json.decode(GOLDEN.read_bytes())["events"]}
    tags = {kind.__struct_config__.tag for kind in get_args(Event)}
    assert written >= tags, "write one of each new event version into the golden file"


def test_what_is_encoded_decodes_the_same() -> None:
    events = decode_events(GOLDEN.read_bytes())
    assert decode_events(encode_events(events)) == events


def test_an_old_version_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_v0(document: upcasting.Document) -> upcasting.Document:
        return {**document, "type": "case_noted.v1", "text": document["words"]}

    monkeypatch.setitem(upcasting.UPCASTERS, "case_noted.v0", from_v0)
    body = b'{"events":[{"type":"case_noted.v0","at":"2026-11-21T12:00:00Z","note":"n","author":"a","words":"hello"}]}'
    (event,) = decode_events(body)
    assert event.text == "hello"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        b"\xff\xfe",
        b'{"events":[{"type":"unheard_of.v9"}]}',
        b'{"events":[{"type":"case_noted.v1","at":"2026-11-21T12:00:00","note":"n","author":"a","text":"no zone"}]}',
        b'{"events":' + b"[" * 100_000,
        b'{"events":[7]}',
        b'{"events":{}}',
    ],
)
def test_what_is_no_commit_is_unreadable_and_says_why(body: bytes) -> None:
    with pytest.raises(Unreadable, match="not a commit"):
        decode_events(body)


@pytest.mark.parametrize(("subject", "headers"), [("cases.a.b", {"ce-id": "1"}), ("cases.a.b.c", {}), ("x", None)])
def test_a_message_that_is_no_commit_is_unreadable(subject: str, headers: dict[str, str] | None) -> None:
    with pytest.raises(Unreadable):
        decode_commit(subject, headers, b'{"events":[]}', seq=1, stored_at=AT)


def test_a_commit_without_events_or_of_another_case_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="without events"):
        decode_commit("cases.s.h-0012.h-0012-7K3M2QXZ", {"ce-id": "1"}, b'{"events":[]}', seq=1, stored_at=AT)
    with pytest.raises(Unreadable, match="another case"):
        decode_commit("cases.s.h-1.h-1-AAAAAAAA", {"ce-id": "1"}, GOLDEN.read_bytes(), seq=1, stored_at=AT)


def test_events_carry_ids_and_no_people() -> None:
    fields = {name for kind in get_args(Event) for name in kind.__struct_fields__}
    assert not fields & {"name", "phone", "address", "endpoint", "secret", "email"}
    assert "household" in AlarmRaised.__struct_fields__


@pytest.mark.parametrize("bad", ["", "a.b", "a b", "a*", ">", "-a", "x" * 65, "户", "a\n"])
def test_ids_that_would_break_a_subject_are_refused_by_name(bad: str) -> None:
    with pytest.raises(Exception, match="household"):
        token(bad, "household")


@pytest.mark.parametrize("bad", ["", "x", "h-1", "h.1-ABCDEFGH", "-ABCDEFGH"])
def test_what_is_no_case_id_is_refused(bad: str) -> None:
    with pytest.raises(Exception, match="not a case id"):
        household_of(bad)  # type: ignore[arg-type]


def test_a_notification_keeps_its_id_and_fits_the_push_topic() -> None:
    one = notification_id("h-1-ABCDEFGH", "p")  # type: ignore[arg-type]
    assert one == notification_id("h-1-ABCDEFGH", "p")  # type: ignore[arg-type]
    assert len(one) <= 32


@pytest.mark.parametrize("kind", [CallOutcome, PlannedCall, ResponderReplied])
def test_what_the_log_holds_by_the_million_has_its_fields_as_postgres_keeps_them(kind: type[msgspec.Struct]) -> None:
    names = kind.__struct_encode_fields__
    assert list(names) == sorted(names, key=lambda name: (len(name), name))
