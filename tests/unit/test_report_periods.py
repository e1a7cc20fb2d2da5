"""Periods of reports: days, weeks and months by the clocks of a place, also where these are put forward and back."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dispatch.errors import Malformed
from dispatch.web.reports.period import Period, month_at, month_of, months_before, period_of

SHANGHAI, NEW_YORK = "Asia/Shanghai", "America/New_York"
AT = datetime(2026, 10, 31, 17, tzinfo=UTC)
"""The evening of October in UTC, the first of November in Shanghai."""


def test_a_month_begins_at_midnight_there() -> None:
    november = month_of("2026-11", SHANGHAI)
    assert (november.since, november.until) == (
        datetime(2026, 10, 31, 16, tzinfo=UTC),
        datetime(2026, 11, 30, 16, tzinfo=UTC),
    )
    assert month_at(AT, SHANGHAI) == november
    assert month_at(AT, "UTC") == month_of("2026-10", "UTC")


def test_the_months_before_cross_the_year() -> None:
    january = month_of("2026-01", SHANGHAI)
    assert months_before(january, 1) == month_of("2025-12", SHANGHAI)
    assert months_before(january, 12) == month_of("2025-01", SHANGHAI)
    assert months_before(january, 25) == month_of("2023-12", SHANGHAI)


def test_a_month_in_which_the_clocks_change_has_all_its_days() -> None:
    march = month_of("2026-03", NEW_YORK)
    assert (march.until.astimezone(UTC) - march.since.astimezone(UTC)).total_seconds() == (31 * 24 - 1) * 3600
    days = list(march.starts("day"))
    assert (len(days), days[0], days[-1]) == (31, "2026-03-01", "2026-03-31")


def test_each_day_week_and_month_that_is_touched_has_its_start() -> None:
    period = period_of("2026-10-31", "2026-11-03", SHANGHAI, AT)
    assert list(period.starts("day")) == ["2026-10-31", "2026-11-01", "2026-11-02"]
    assert list(period.starts("week")) == ["2026-10-26", "2026-11-02"]
    assert list(period.starts("month")) == ["2026-10-01", "2026-11-01"]


def test_what_is_not_said_is_the_last_month_of_days_to_the_end_of_today() -> None:
    zone = ZoneInfo(SHANGHAI)
    usual = Period(since=datetime(2026, 10, 2, tzinfo=zone), until=datetime(2026, 11, 2, tzinfo=zone), zone=SHANGHAI)
    assert period_of(None, None, SHANGHAI, AT) == usual
    assert len(list(usual.starts("day"))) == 31
    assert period_of(None, "2026-03-01T00:00:00Z", SHANGHAI, AT).since == datetime(2026, 1, 29, tzinfo=zone)


@pytest.mark.parametrize("text", ["2026-00", "2026-13", "2026-1", "0000-01", "9999-12", "", "2026-11-01", "二〇二六年"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="write it like 2026-11"):
        month_of(text, SHANGHAI)
