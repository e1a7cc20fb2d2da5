"""A report by day or week is counted in two halves, side by side: neither cuts a row of the other."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dispatch.projections.reports import halves

ZONES = ("Asia/Shanghai", "Europe/Berlin")
"""The clocks of the second go back and forth."""
FIRST_DAY = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("by", FIRST_DAY)
@pytest.mark.parametrize("days", [1, 9, 31, 63, 366, 400])
def test_no_day_or_week_is_in_both_halves(by: str, zone: str, days: int) -> None:
    until = datetime(2026, 11, 13, 9, 30, tzinfo=ZoneInfo(zone))
    since = until - timedelta(days=days)
    parts = halves(by, since, until, zone)
    assert (parts[0][0], parts[-1][1]) == (since, until)
    if days > 62:
        (_, cut), (began, _) = parts
        assert began == cut
    rows = [_rows(start, end, zone, by) for start, end in parts]
    assert sum(map(len, rows)) == len(set().union(*rows))


@pytest.mark.parametrize("by", ["total", "area", "kind", "target", "group"])
def test_what_is_not_by_time_is_counted_at_once(by: str) -> None:
    since, until = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")), datetime(2026, 12, 1, tzinfo=ZoneInfo("UTC"))
    assert halves(by, since, until, "UTC") == [(since, until)]


def _rows(start: datetime, end: datetime, zone: str, by: str) -> set[date]:
    """The first days of the rows of [start, end)."""
    clocks = ZoneInfo(zone)
    first, last = start.astimezone(clocks).date(), (end - timedelta(microseconds=1)).astimezone(clocks).date()
    return {FIRST_DAY[by](first + timedelta(days=n)) for n in range((last - first).days + 1)}
