"""Log files that child processes append to: their last lines, what is new in them, and their size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LARGEST = 20 * 1024 * 1024
"""Bytes of one log file before it is moved aside; one older file is kept."""


def last_lines(log: Path, count: int) -> str:
    """The last `count` lines, or an empty string when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 32 * 1024))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""


def bound(log: Path, largest: int = LARGEST) -> None:
    """Copy a log larger than `largest` bytes to `<name>.1` and empty it.

    Its writer keeps the file open and goes on at the new end, so it is emptied, not renamed. What is written
    between the copy and the cut is lost.
    """
    try:
        if log.stat().st_size <= largest:
            return
        log.with_name(log.name + ".1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
    except FileNotFoundError:
        return


READ_AT_ONCE = 1024 * 1024


class Follower:
    """Reads what is appended to a log from now on."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = log.stat().st_size if log.is_file() else 0

    def new_lines(self) -> Iterator[str]:
        """Whole lines since the last time; a line still being written is left for the next.

        One that is longer than `READ_AT_ONCE` bytes comes in pieces: it must not hold back what stands behind it.
        """
        if not self._log.exists():
            return
        with self._log.open("rb") as file:
            if file.seek(0, os.SEEK_END) < self._offset:
                self._offset = 0
            file.seek(self._offset)
            found = file.read(READ_AT_ONCE)
        whole, newline, _ = found.rpartition(b"\n")
        if not newline and len(found) == READ_AT_ONCE:
            whole = found
        self._offset += len(whole) + len(newline)
        yield from whole.decode(errors="replace").splitlines()
