"""What was counted of months that are over is kept for one state of the database, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from dispatch.projections.remembered import MOST, Remembered, Span, spans_of

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
MARCH = Span("2025-03-01", datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
APRIL = Span("2025-04-01", datetime(2025, 4, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC))
ONE, OTHER = {"stamp": "1"}, {"stamp": "2"}


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"])
@pytest.mark.parametrize("days", [0.1, 1, 31, 200, 400])
def test_the_months_of_a_period_are_all_of_it_once(zone: str, days: float) -> None:
    until = datetime(2026, 11, 13, 9, 30, tzinfo=UTC)
    since = until - timedelta(days=days)
    spans = spans_of(since, until, zone)
    assert (spans[0].since, spans[-1].until) == (since, until)
    for before, after in pairwise(spans):
        assert before.until == after.since
        assert after.since.astimezone(ZoneInfo(zone)).strftime("%d %H:%M:%S") == "01 00:00:00"
    for span in spans:
        assert f"{span.since.astimezone(ZoneInfo(zone)):%Y-%m-01}" == span.key
        assert f"{(span.until - timedelta(seconds=1)).astimezone(ZoneInfo(zone)):%Y-%m-01}" == span.key


def test_what_is_known_is_what_was_kept_of_it_also_that_there_was_nothing() -> None:
    remembered = Remembered()
    assert remembered.known(ONE, "asked", [MARCH, APRIL], AS_OF) == {}
    remembered.keep(ONE, "asked", MARCH, AS_OF, ("2025-03-01", 7))
    remembered.keep(ONE, "asked", APRIL, AS_OF, None)
    assert remembered.known(ONE, "asked", [MARCH, APRIL], AS_OF) == {MARCH: ("2025-03-01", 7), APRIL: None}
    assert remembered.known(ONE, "something else", [MARCH], AS_OF) == {}
    assert remembered.known(ONE, "asked", [MARCH], AS_OF - timedelta(seconds=1)) == {}, "judged as of an earlier moment"
    half = Span(MARCH.key, MARCH.since, MARCH.until - timedelta(days=15))
    assert remembered.known(ONE, "asked", [half], AS_OF) == {}


def test_another_state_knows_nothing_and_what_was_counted_before_it_is_not_kept() -> None:
    remembered = Remembered()
    remembered.known(ONE, "asked", [MARCH], AS_OF)
    remembered.keep(ONE, "asked", MARCH, AS_OF, ("2025-03-01", 7))
    assert remembered.known(OTHER, "asked", [MARCH], AS_OF) == {}
    remembered.keep(ONE, "asked", MARCH, AS_OF, ("2025-03-01", 7))
    assert remembered.known(OTHER, "asked", [MARCH], AS_OF) == {}


def test_no_more_is_kept_than_the_most_and_the_newest_asked_for_stays() -> None:
    remembered = Remembered()
    for number in range(MOST + 2):
        remembered.known(ONE, 0, [MARCH], AS_OF)
        remembered.keep(ONE, number, MARCH, AS_OF, None)
    assert [MARCH in remembered.known(ONE, number, [MARCH], AS_OF) for number in (0, 1, 2, MOST + 1)] == [
        True,
        False,
        False,
        True,
    ]
