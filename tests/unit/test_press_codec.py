"""A press as bytes and back, and what a hostile button can put there."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatch.errors import Malformed, Oversized, Refused
from dispatch.events import MAX_PRESS_BYTES, Press, believed, decode_press, encode_press, kind_of
from dispatch.identifiers import HouseholdId, PressId, Site

ARRIVED = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SUBJECT = "intake.press.demo.h-1"
CLOUD_EVENT = {"ce-specversion": "1.0"}
PRESS = Press(
    press=PressId("p1"),
    household=HouseholdId("h-1"),
    device="phone",
    source="http",
    pressed_at=ARRIVED,
    kind="fire",
    silent=True,
    drill=True,
)


def button(**fields: object) -> Press:
    return decode_press(SUBJECT, {"Nmqtt-Pub": "1"}, msgspec.json.encode({"press_id": "p1", **fields}), ARRIVED)


def test_a_press_is_the_same_after_a_round_trip() -> None:
    subject, headers, body = encode_press(PRESS, Site("demo"))
    assert subject == SUBJECT
    assert decode_press(subject, headers, body, ARRIVED + timedelta(days=1)) == PRESS


def test_it_is_a_cloud_event_in_binary_mode() -> None:
    _, headers, _ = encode_press(PRESS, Site("demo"))
    assert headers == {
        "ce-specversion": "1.0",
        "ce-id": "h-1:p1:drill",
        "ce-source": "/dispatch/demo/intake",
        "ce-type": "dispatch.press.v1",
        "ce-subject": "h-1",
        "ce-time": "2026-11-21T08:00:00+00:00",
        "content-type": "application/json",
    }


def test_a_button_says_little_and_the_subject_says_whose_it_is() -> None:
    assert button() == Press(
        press=PressId("p1"), household=HouseholdId("h-1"), device="button-h-1", source="mqtt", pressed_at=ARRIVED
    )
    said = button(kind="medical", silent=True, drill=True, household="h-2", battery=3)
    assert (said.kind, said.silent, said.drill, said.household) == ("medical", True, True, "h-1")


@pytest.mark.parametrize(
    ("body", "kind", "silent", "drill"),
    [
        (b'{"press_id": 7}', "help", False, False),
        (b'{"press_id": "a", "kind": null, "pressed_at": ""}', "help", False, False),
        (b'{"press_id": "a", "kind": 3, "pressed_at": 0}', "help", False, False),
        (b'{"press_id": "a", "kind": "fire", "pressed_at": "0001-01-01T00:00:00+23:59"}', "fire", False, False),
        (b'{"press_id": "a", "silent": 0, "drill": 0}', "help", False, False),
        (b'{"press_id": "a", "silent": "yes", "drill": "yes"}', "help", True, False),
    ],
)
def test_no_button_is_refused_for_its_label_or_its_clock(body: bytes, kind: str, silent: bool, drill: bool) -> None:
    press = decode_press("intake.press.s.h-1", None, body, ARRIVED)
    assert (press.kind, press.silent, press.drill, press.pressed_at) == (kind, silent, drill, ARRIVED)


def test_an_unknown_kind_is_a_call_for_help() -> None:
    assert button(kind="earthquake").kind == "help"
    assert kind_of("intrusion") == "intrusion"


@pytest.mark.parametrize(
    ("claimed", "pressed_at"),
    [
        (None, ARRIVED),
        (ARRIVED - timedelta(minutes=9), ARRIVED - timedelta(minutes=9)),
        (ARRIVED - timedelta(minutes=11), ARRIVED),
        (ARRIVED + timedelta(seconds=1), ARRIVED),
        (datetime(2026, 11, 21, 7, 59), datetime(2026, 11, 21, 7, 59, tzinfo=UTC)),  # noqa: DTZ001
        (
            datetime(2026, 11, 21, 15, 59, tzinfo=timezone(timedelta(hours=8))),
            datetime(2026, 11, 21, 7, 59, tzinfo=UTC),
        ),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8))), ARRIVED),
        (datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-8))), ARRIVED),
    ],
    ids=["none", "just", "too-old", "future", "naive", "beijing", "year-1", "year-9999"],
)
def test_a_clock_is_believed_when_it_can_be_right(claimed: datetime | None, pressed_at: datetime) -> None:
    assert believed(claimed, ARRIVED) == pressed_at
    assert believed(claimed, ARRIVED).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"press_id": ""}',
        b'{"press_id": [7]}',
        b'{"press_id": "a.b"}',
        b'{"press_id": "' + b"a" * 65 + b'"}',
        b'{"press_id": "\xff"}',
        b'{"press_id": "a", "x": ' + b"[" * 4000,  # too deep for Python 3.11, broken off for newer ones
    ],
)
def test_what_is_no_press_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        decode_press(SUBJECT, None, body, ARRIVED)
    assert refused.value.fields["field"]


def test_what_is_larger_than_a_press_is_not_even_read() -> None:
    body = b'{"press_id": "a"}'.ljust(MAX_PRESS_BYTES)
    assert decode_press(SUBJECT, None, body, ARRIVED).press == "a"
    with pytest.raises(Oversized, match="4097"):
        decode_press(SUBJECT, None, body + b" ", ARRIVED)


def test_a_press_of_one_household_on_the_subject_of_another_is_refused() -> None:
    _, headers, body = encode_press(PRESS, Site("demo"))
    with pytest.raises(Malformed, match="h-2"):
        decode_press("intake.press.demo.h-2", headers, body, ARRIVED)


@given(st.binary(max_size=300), st.booleans())
@example(b'{"press_id":"a","kind":"\xff"}', True)
@example(b'{"press_id":"a","pressed_at":"0001-01-01T00:00:00+10:00"}', False)
@example(b'{"press":"a","x":' + b"[" * 2000 + b"]" * 2000 + b"}", True)
def test_no_bytes_do_more_than_be_refused(body: bytes, cloud_event: bool) -> None:
    with contextlib.suppress(Refused):
        assert decode_press(SUBJECT, CLOUD_EVENT if cloud_event else None, body, ARRIVED).household == "h-1"


@given(
    st.fixed_dictionaries(
        {"press_id": st.text(max_size=70)},
        optional={"kind": st.text(), "silent": st.booleans(), "pressed_at": st.datetimes().map(datetime.isoformat)},
    )
)
def test_whatever_a_button_says_is_a_press_that_can_be_published_or_refused(said: dict[str, object]) -> None:
    try:
        press = decode_press(SUBJECT, None, msgspec.json.encode(said), ARRIVED)
    except Refused:
        return
    subject, headers, body = encode_press(press, Site("demo"))
    assert decode_press(subject, headers, body, ARRIVED) == press
    assert ARRIVED - timedelta(minutes=10) <= press.pressed_at <= ARRIVED
