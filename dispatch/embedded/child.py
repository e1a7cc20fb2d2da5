"""One child process: started on a leash, its output in a log file, stopped politely and then not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from dispatch.embedded.logs import last_lines

LEASH = Path(__file__).with_name("leash.py")


@dataclass(frozen=True)
class SystemUser:
    """Whom a child runs as when that is not us."""

    name: str
    uid: int
    gid: int


class Child:
    """A process that we started. `name` is for people; `log` gets its stdout and stderr, appended."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(
        self,
        program: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        folder: str | None = None,
        user: SystemUser | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Start `program`, given by its full path and arguments; `death_signal` ends it when we are gone.

        The child is in a session of its own, so that a Ctrl-C in the terminal reaches us alone.
        """
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ids = (user.uid, user.gid) if user else (-1, -1)
        leash = [sys.executable, "-I", "-S", LEASH, os.getpid(), int(death_signal), *ids]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *map(str, [*leash, *program]),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                env=None if env is None else dict(env),
                cwd=folder,
                start_new_session=True,
            )

    async def wait(self) -> int:
        """Wait until it has ended; its exit code, or minus the signal that ended it."""
        assert self._process is not None, f"{self.name} was never started"  # noqa: S101 - a mistake in our own code
        return await self._process.wait()

    async def stop(self, how: signal.Signals = signal.SIGTERM, patience: float = 10) -> bool:
        """Ask it to end and wait; kill it after `patience` seconds. False when it had to be killed."""
        if not self.running:
            return True
        self._signal(how)
        try:
            await asyncio.wait_for(self.wait(), patience)
        except TimeoutError:
            await self.kill()
            return False
        return True

    async def kill(self) -> None:
        """End it at once, as a power cut would (kill -9)."""
        if self.running:
            self._signal(signal.SIGKILL)
            await self.wait()

    def last_lines(self, count: int = 15) -> str:
        return last_lines(self.log, count)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None  # noqa: S101 - callers looked
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


def stop_left_over(pid_file: Path, named: Path, how: signal.Signals, patience: float = 20) -> int | None:
    """Stop the process that an earlier run left behind on the folder `named`, if there is one.

    It is ours only when `pid_file` begins with its number and its command line names the folder;
    the number alone may be anybody's by now. Returns the number of the process that was stopped.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if not any(str(named) in argument for argument in process.cmdline()):
            return None
        process.send_signal(how)
        if not _ended(process, patience):
            process.kill()
            _ended(process, patience)
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process.pid


def _ended(process: psutil.Process, patience: float) -> bool:
    """Wait until it has ended. One that nobody collects (a zombie, in a container without an init) has ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not alive(process):
            return True
        time.sleep(0.02)
    return False


def alive(process: psutil.Process) -> bool:
    """Whether a process still runs: neither gone nor a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
