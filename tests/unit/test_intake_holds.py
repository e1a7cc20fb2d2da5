"""Who must wait outside, and which connections have sent more than a key can mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatch.intake.expelling import Counts
from dispatch.intake.holds import FIRST, LONGEST, REMEMBERED, SHOWN, Holds

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_token_is_held_for_a_minute_and_nobody_else_is() -> None:
    holds = Holds()
    holds.hold("t-1", "h-1", AT)
    assert holds.wait("t-1", AT + 20 * SECOND) == 40
    assert holds.wait("t-1", AT + FIRST) == 0
    assert holds.wait("t-2", AT) == 0


def test_more_of_the_same_while_it_is_held_does_not_lengthen_it() -> None:
    holds = Holds()
    first = holds.hold("t-1", "h-1", AT)
    assert holds.hold("t-1", "h-1", AT + SECOND) == first


def test_each_hold_after_the_last_is_twice_as_long_and_none_is_longer_than_the_longest() -> None:
    holds, at, lengths = Holds(), AT, []
    for _ in range(7):
        hold = holds.hold("t-1", "h-1", at)
        lengths.append((hold.until - hold.begun) / FIRST)
        assert hold.since == AT
        at = hold.until + SECOND
    assert lengths == [1, 2, 4, 8, 16, 16, 16]
    assert LONGEST == 16 * FIRST


def test_who_was_quiet_for_long_begins_anew() -> None:
    holds = Holds()
    later = holds.hold("t-1", "h-1", AT).until + REMEMBERED + SECOND
    hold = holds.hold("t-1", "h-1", later)
    assert (hold.since, hold.until) == (later, later + FIRST)


def test_what_another_process_says_counts_and_the_later_hold_wins() -> None:
    ours, theirs = Holds(), Holds()
    short, long = theirs.hold("t-1", "h-1", AT), theirs.hold("t-1", "h-1", AT + FIRST + SECOND)
    ours.take(long)
    ours.take(short)
    assert ours.wait("t-1", long.begun) == 120


def test_the_desk_sees_a_hold_until_a_minute_after_it() -> None:
    holds = Holds()
    hold = holds.hold("t-1", "h-1", AT)
    assert holds.shown(hold.until + SHOWN) == [hold]
    assert holds.shown(hold.until + SHOWN + SECOND) == []
    assert holds.hold("t-1", "h-1", hold.until + 2 * SHOWN).until == hold.until + 2 * SHOWN + 2 * FIRST


def connection(cid: int, sent: int, *, user: str = "s/h-1/t-1", age: float = 3600, **more: Any) -> dict[str, Any]:
    start = (AT - timedelta(seconds=age, microseconds=1)).isoformat().replace("+00:00", "987Z")  # as Go writes it
    return {"cid": cid, "start": start, "in_msgs": sent, "type": "mqtt", "authorized_user": user, **more}


def look(*connections: dict[str, Any], after: float = 0) -> bytes:
    at = (AT + timedelta(seconds=after)).isoformat()
    return json.dumps({"data": {"server_id": "N1", "now": at, "connections": connections}}).encode()


@pytest.mark.parametrize(("sent", "mad"), [(100, False), (101, True)])
def test_a_hundred_at_once_are_what_a_button_kept_and_more_are_mad(sent: int, mad: bool) -> None:
    counts = Counts()
    assert list(counts.mad(look(connection(7, 400)))) == [], "400 presses in an hour"
    found = list(counts.mad(look(connection(7, 400 + sent), after=0.5)))
    assert [(one.server, one.cids, one.user, one.sent) for one in found] == (
        [("N1", (7,), "s/h-1/t-1", sent)] if mad else []
    )


def test_a_key_that_is_stuck_is_not_mad() -> None:
    counts = Counts()
    for second in range(1, 20):
        assert list(counts.mad(look(connection(7, 30 * second), after=second))) == []


def test_a_new_connection_is_measured_from_its_start() -> None:
    assert list(Counts().mad(look(connection(7, 150, age=10)))) == []
    assert [one.sent for one in Counts().mad(look(connection(7, 150, age=0.5)))] == [150]


def test_a_button_that_is_listed_late_is_measured_from_its_start() -> None:
    """Others had sent more, until one of them left."""
    counts, others = Counts(), [connection(100 + n, 121, user=f"s/h-1{n}/t-1{n}") for n in range(3)]
    assert list(counts.mad(look(*others))) == []
    assert list(counts.mad(look(*others[:-1], connection(7, 120), after=0.5))) == []
    assert [one.sent for one in counts.mad(look(connection(7, 221), after=1))] == [101]


def test_a_flood_over_many_connections_is_that_of_its_token() -> None:
    counts = Counts()
    many = [connection(cid, 0) for cid in range(4)]
    assert list(counts.mad(look(*many))) == []
    (found,) = counts.mad(look(*(connection(cid, 40 * cid) for cid in range(4)), after=0.5))
    assert (found.cids, found.sent) == ((1, 2, 3), 240), "the one that sent nothing is left alone"


def test_services_are_not_counted() -> None:
    assert list(Counts().mad(look(connection(7, 9_000_000, age=1, type="nats")))) == []
