"""The one place that reads the time. Decisions never do: time comes in with the command.

nats-server has a clock of its own: what it has stamped is read with `of_server`, and what it is asked for is said with
`for_server`. The two are one clock, but where the stories of the tests move ours (`dispatch.moved_clock`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

Clock = Callable[[], datetime]


class Other(Protocol):
    """Another clock than the machine's."""

    def shown(self, real: datetime) -> datetime:
        """What it shows in the moment `real`."""
        ...

    def real(self, shown: datetime) -> datetime:
        """The moment in which it shows `shown`, or has leapt over it."""
        ...


_other: Other | None = None


def now() -> datetime:
    """The current time, in UTC, with microseconds."""
    return of_server(datetime.now(UTC))


def of_server(at: datetime) -> datetime:
    """A time that nats-server has stamped, by our clock."""
    return at if _other is None else _other.shown(at)


def for_server(at: datetime) -> datetime:
    """A time of ours, by the clock of nats-server."""
    return at if _other is None else _other.real(at)


def go_by(other: Other | None) -> None:
    """Let this process go by `other` from here on; None: by the machine's clock, as it does from the start."""
    global _other  # noqa: PLW0603 - a process has one clock, and every function that needs the time is handed `now`
    _other = other
