"""A clock that can be moved, for the stories of the tests: a minute of policy is over when the story says so.

A file holds what was done to it, a line each; whoever moves it appends one, and all processes that go by it follow.
Nobody goes by one unless `DISPATCH_MOVED_CLOCK` names the file, and where other machines can reach the system, or have
one of its servers, nothing starts with it: moved ahead by mistake, it would call the whole county before anybody could
answer (ADR 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog

from dispatch import clock
from dispatch.errors import SetupError
from dispatch.settings import LOOPBACK, Settings

log = structlog.get_logger()

STANDS_NEARLY = 0.01
"""How fast a held clock goes: so slow that a busy machine makes no story late, and yet no two moments are one."""

FASTEST = 3600.0
"""An hour a second; far beyond, a time could no longer be reckoned."""


class Move(msgspec.Struct, frozen=True):
    """From the moment `real` on the clock shows `shown`, and goes on `pace` times as fast as real time (above 0)."""

    real: Annotated[datetime, msgspec.Meta(tz=True)]
    shown: Annotated[datetime, msgspec.Meta(tz=True)]
    pace: Annotated[float, msgspec.Meta(gt=0, le=FASTEST)]


class MovedClock:
    """The clock of a file, which need not be there yet: without a line in it, it is the machine's."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._size = 0
        self._moves: list[Move] = []
        self._wrong: dict[int, str] = {}

    def must_be_readable(self) -> None:
        """Raises `SetupError`, naming the line, when the file cannot be read; one that is not there is good."""
        try:
            _, wrong = self._read()
        except FileNotFoundError:
            return
        except OSError as error:
            raise SetupError(f"DISPATCH_MOVED_CLOCK: {self._file} cannot be read: {error}") from None
        for line, why in wrong.items():
            raise SetupError(f"DISPATCH_MOVED_CLOCK: line {line} of {self._file} is no move of the clock: {why}")

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
        """The moves, the latest last: read again when the file has grown. What cannot be read moves nothing."""
        with suppress(OSError):
            size = self._file.stat().st_size
            if size > self._size:
                self._moves, wrong = self._read()
                self._size = size
                for line in wrong.keys() - self._wrong.keys():
                    log.error("clock.line_unreadable", file=str(self._file), line=line, reason=wrong[line])
                self._wrong = wrong
        return self._moves

    def _read(self) -> tuple[list[Move], dict[int, str]]:
        """The moves of all whole lines, and by its number why a line is none."""
        moves: list[Move] = []
        wrong: dict[int, str] = {}
        whole = self._file.read_bytes().rpartition(b"\n")[0]
        for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
            try:
                moves.append(msgspec.json.decode(line, type=Move))
            except (msgspec.DecodeError, ValueError) as error:
                wrong[number] = str(error)
        return moves, wrong


def go_by_settings(settings: Settings) -> None:
    """Let this process go by the clock that `settings` name, if they name one, and say so loudly.

    Raises `SetupError` where other machines can reach the system or have one of its servers (there the time is nobody's
    to move), and when the clock's file cannot be read.
    """
    if settings.moved_clock is None:
        return
    elsewhere = _elsewhere(settings)
    if elsewhere:
        raise SetupError(
            "DISPATCH_MOVED_CLOCK is set, by which tests move the time, and this system is not on this machine alone "
            f"({', '.join(elsewhere)}): nobody would be called in time. Unset it"
        )
    moved = MovedClock(settings.moved_clock)
    moved.must_be_readable()
    log.warning("clock.can_be_moved", file=str(settings.moved_clock))
    clock.go_by(moved)


def _elsewhere(settings: Settings) -> list[str]:
    """The settings by which other machines have a part in this system."""
    system_url, mqtt_url = settings.nats_system_url, settings.mqtt_url
    named: dict[str, Sequence[str | None]] = {
        "DISPATCH_HOST": [settings.host],
        "DISPATCH_PUBLIC_URL": [settings.public_url],
        "DISPATCH_NATS_URL": _hosts(settings.nats_url),
        "DISPATCH_NATS_SYSTEM_URL": _hosts(system_url.get_secret_value() if system_url else None),
        "DISPATCH_MQTT_URL": _hosts(mqtt_url.get_secret_value() if mqtt_url else None),
        "DISPATCH_POSTGRES_DSN": _hosts(settings.postgres_dsn),
        "DISPATCH_SMS_HOST": [settings.sms_host],
    }
    return [name for name, hosts in named.items() if any(host is not None and host not in LOOPBACK for host in hosts)]


def _hosts(addresses: str | None) -> list[str]:
    """Who is asked at `addresses`, which may be several; empty for one that does not say it so that we can read it."""
    hosts: list[str] = []
    for address in addresses.split(",") if addresses else ():
        try:
            url = urlsplit(address if "://" in address else f"//{address}")
            hosts += [url.hostname or "", *parse_qs(url.query).get("host", [])]
        except ValueError:
            hosts.append("")
    return hosts
