"""Processes that are stopped from outside: their connections stay open, and nothing comes over them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from time import sleep


def stop(pid: int) -> None:
    """Stop the process; on return none of its threads runs any more. SIGCONT lets it go on.

    The signal alone is not enough: on a busy machine a thread that runs elsewhere answers a request yet.
    """
    os.kill(pid, signal.SIGSTOP)
    while any(_state(thread) not in "TZX" for thread in Path(f"/proc/{pid}/task").glob("*/stat")):
        sleep(0.001)


def _state(thread: Path) -> str:
    """One letter, as proc(5) has it; the name before it may hold anything."""
    try:
        return thread.read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:  # it has ended meanwhile
        return "T"
