"""Postgres's own lock, `postmaster.pid`, after a kill -9: it must stop nobody, and still protect the data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from dispatch.embedded.child import alive

NOBODY = 2**22
"""Linux gives numbers below this one to processes."""


def clear_stale_lock(data: Path, patience: float = 10) -> None:
    """Make the lock that a killed Postgres left in `data` name nobody, once nothing of that Postgres runs.

    Postgres refuses to start while the number in its lock is anybody's: a stranger's by now, or that of a
    zombie in a container without an init. Only the number is replaced, so that Postgres still checks by
    itself whether the shared memory named below it is in use. Call it when no Postgres of ours runs on `data`.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    _end_orphans(data, patience)
    _, newline, rest = lock.read_text().partition("\n")
    lock.write_text(f"{NOBODY}{newline}{rest}")


def _end_orphans(data: Path, patience: float) -> None:
    """Wait for the backends of a killed Postgres, which end by themselves, and kill those that do not."""
    deadline = time.monotonic() + patience
    while (orphans := list(_processes_in(data))) and time.monotonic() < deadline:
        time.sleep(0.02)
    for orphan in orphans:
        orphan.kill()


def _processes_in(data: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and Path(process.cwd()) == data and alive(process):
                yield process
        except psutil.Error:
            continue
