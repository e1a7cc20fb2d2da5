"""Times for people: by the clocks of the site, as its reports have them, with the offset. Machines are given UTC."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from dispatch.settings import load_settings


@cache
def site_zone() -> ZoneInfo:
    """The zone of `DISPATCH_TIMEZONE`, asked for once in a command."""
    return ZoneInfo(load_settings().timezone)


def date_and_time(at: datetime) -> str:
    """Like `2026-11-22 20:03:11+08:00`."""
    return at.astimezone(site_zone()).isoformat(" ", "seconds")


def date_and_minute(at: datetime) -> str:
    """Like `2026-11-22 20:03+08:00`."""
    return at.astimezone(site_zone()).isoformat(" ", "minutes")


def time_of_day(at: datetime) -> str:
    """Like `20:03:11+08:00`."""
    return at.astimezone(site_zone()).isoformat(timespec="seconds").partition("T")[2]
