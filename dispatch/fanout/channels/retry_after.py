"""The header `Retry-After` (RFC 9110, 10.2.3): seconds, or a date."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

from dispatch.clock import now

LONGEST_SECONDS = 86_400.0


def seconds_of(value: str | None) -> float:
    """How long to wait, in seconds: 0 when nothing (or nothing that can be read) was asked, a day at most."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_SECONDS)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
    return min(max((date - now()).total_seconds(), 0.0), LONGEST_SECONDS)
