"""Periods of a report, by the clocks of the site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from dispatch.errors import Malformed

MOST_DAYS = 400
"""A year and a month, so that a month can stand beside the same one a year before."""
USUAL_DAYS = 31
EARLIEST, LATEST = 1970, 2200
WAY_OUT = "write a day like 2026-11-01, or a time with its zone like 2026-11-01T08:00:00Z (a + in it as %2B)"

Span = Literal["day", "week", "month"]
Bound = Annotated[str, Field(max_length=40, description="A day (its midnight), or a time with its zone")]


@dataclass(frozen=True, kw_only=True)
class Period:
    """[since, until), and the zone by which its days are counted."""

    since: datetime
    until: datetime
    zone: str

    def starts(self, by: Span) -> Iterator[str]:
        """The first days of each day, week (from Monday) or month that the period touches, as `2026-11-01`."""
        zone = ZoneInfo(self.zone)
        day, last = _start(self.since.astimezone(zone).date(), by), self.until.astimezone(zone)
        while datetime.combine(day, time(), zone) < last:
            yield day.isoformat()
            day = _next(day, by)


def month_of(text: str, zone: str) -> Period:
    """The month `2026-11`. Raises `Malformed` when there is no such month."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        first = date.min
    if not EARLIEST <= first.year <= LATEST or len(text) != len("2026-11"):
        raise Malformed(f"month {text[:40]!r} is not a month; write it like 2026-11", field="month")
    return Period(since=_midnight(first, zone), until=_midnight(_next(first, "month"), zone), zone=zone)


def month_at(at: datetime, zone: str) -> Period:
    """The month in which `at` is."""
    return month_of(f"{at.astimezone(ZoneInfo(zone)):%Y-%m}", zone)


def months_before(period: Period, months: int) -> Period:
    """The month that is `months` before the one that `period` is."""
    first = period.since.astimezone(ZoneInfo(period.zone)).date()
    number = first.year * 12 + first.month - 1 - months
    return month_of(f"{number // 12:04}-{number % 12 + 1:02}", period.zone)


def period_of(since: str | None, until: str | None, zone: str, at: datetime) -> Period:
    """What is asked for with `since` and `until` at `at`: up to the end of the day, and from 31 days before the end.

    Raises `Malformed` that names the field, its value and the way out.
    """
    today = at.astimezone(ZoneInfo(zone)).date()
    end = _midnight(_next(today, "day"), zone) if until is None else bound(until, zone, "until")
    first_day = end.astimezone(ZoneInfo(zone)).date() - timedelta(days=USUAL_DAYS)
    begin = _midnight(first_day, zone) if since is None else bound(since, zone, "since")
    told = f"since {since or begin.isoformat()}", f"until {until or end.isoformat()}"
    if begin >= end:
        raise Malformed(f"{told[0]} is not before {told[1]}: {WAY_OUT}", field="since")
    if end - begin > timedelta(days=MOST_DAYS):
        raise Malformed(
            f"{told[0]} is {(end - begin).days} days before {told[1]}: ask for {MOST_DAYS} days at most, "
            "one part after the other",
            field="since",
        )
    return Period(since=begin, until=end, zone=zone)


def bound(text: str, zone: str, field: str) -> datetime:
    """A day (its midnight in `zone`) or a time with its zone. Raises `Malformed` for anything else."""
    try:
        found = _midnight(date.fromisoformat(text), zone) if len(text) == len("2026-11-01") else _time(text)
    except ValueError:
        raise Malformed(f"{field} {text[:40]!r} is no day and no time: {WAY_OUT}", field=field) from None
    if not EARLIEST <= found.year <= LATEST:
        raise Malformed(f"{field} {text[:40]!r} is not between {EARLIEST} and {LATEST}: {WAY_OUT}", field=field)
    return found


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def _start(day: date, by: Span) -> date:
    if by == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if by == "month" else day


def _next(day: date, by: Span) -> date:
    if by == "month":
        return (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=7 if by == "week" else 1)
