"""A clock that can be moved, for the stories of the tests: a minute of policy is over when the story says so.

A file holds what was done to it, a line each; whoever moves it appends one, and all processes that go by it follow.
Nobody goes by one unless `DISPATCH_MOVED_CLOCK` names the file, and a system that other machines can reach refuses to
start with it: moved ahead by mistake, it would call the whole county before anybody could answer (ADR 9).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from dispatch import clock
from dispatch.errors import SetupError
from dispatch.settings import LOOPBACK, Settings

log = structlog.get_logger()

STANDS_NEARLY = 0.01
"""How fast a held clock goes: so slow that a busy machine makes no story late, and yet no two moments are one."""


class Move(msgspec.Struct, frozen=True):
    """From the moment `real` on the clock shows `shown`, and goes on `pace` times as fast as real time (above 0)."""

    real: datetime
    shown: datetime
    pace: float


class MovedClock:
    """The clock of a file, which need not be there yet: without a line in it, it is the machine's."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._size = 0
        self._moves: list[Move] = []

    def shown(self, real: datetime) -> datetime:
        """What it shows in the moment `real`, past or not."""
        move = next((move for move in reversed(self._known()) if move.real <= real), None)
        return real if move is None else move.shown + (real - move.real) * move.pace

    def real(self, shown: datetime) -> datetime:
        """The moment in which it shows `shown`, if nobody moves it before; where it leapt over it, that moment."""
        moves = self._known()
        move = next((move for move in reversed(moves) if move.shown <= shown), None)
        found = shown if move is None else move.real + (shown - move.shown) / move.pace
        return min([found, *(later.real for later in moves if later.shown > shown)])

    def put_forward(self, to: datetime, *, pace: float = STANDS_NEARLY) -> None:
        """Let it show `to` now, but where it is past that already, and go on at `pace`."""
        real = datetime.now(UTC)
        shown = max(to, self.shown(real))
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(Move(real, shown, pace)) + b"\n")

    def _known(self) -> list[Move]:
        """The moves, the latest last: read again when the file has grown, by whole lines."""
        try:
            size = self._file.stat().st_size
        except FileNotFoundError:
            return self._moves
        if size > self._size:
            whole = self._file.read_bytes().rpartition(b"\n")[0]
            self._moves = [msgspec.json.decode(line, type=Move) for line in whole.splitlines()]
            self._size = size
        return self._moves


def go_by_settings(settings: Settings) -> None:
    """Let this process go by the clock that `settings` name, if they name one, and say so loudly.

    Raises `SetupError` where other machines can reach the system: there the time is nobody's to move.
    """
    if settings.moved_clock is None:
        return
    if settings.host not in LOOPBACK or settings.public_url is not None:
        raise SetupError(
            "DISPATCH_MOVED_CLOCK is set, by which tests move the time, and other machines can reach this system "
            "(DISPATCH_HOST, DISPATCH_PUBLIC_URL): nobody would be called in time. Unset it"
        )
    log.warning("clock.can_be_moved", file=str(settings.moved_clock))
    clock.go_by(MovedClock(settings.moved_clock))
