"""The one place that reads the time. Decisions never do: time comes in with the command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The current time, in UTC, with microseconds."""
    return datetime.now(UTC)
