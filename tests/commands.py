"""`dispatch …` as a user types it: a process of its own, with its exit code, output and errors."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dispatch.settings import Settings

SECONDS = 60
NEVER_RUN = "the command was never run; see tests/zygote.py"
_order = threading.Lock()


async def dispatch(*arguments: object, env: Mapping[str, str], typed: str | None = None) -> tuple[int, str, str]:
    """Run the command in the environment `env`, with `typed` on its standard input (nothing when not given)."""
    return await asyncio.wait_for(asyncio.to_thread(_run, list(map(str, arguments)), env, typed or ""), SECONDS)


def environment_of(settings: Settings, *, columns: int = 200) -> dict[str, str]:
    """The environment of somebody who gives commands to the system with these settings, on a terminal so wide."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")},
        "DISPATCH_SITE": settings.site,
        "DISPATCH_DATA": str(settings.data),
        "DISPATCH_NATS_URL": settings.require_nats(),
        "DISPATCH_POSTGRES_DSN": settings.require_postgres(),
        "COLUMNS": str(columns),
    }


class Started:
    """`dispatch …` that runs until it ends or is killed; it says what it says where the tests do."""

    def __init__(self, *arguments: object, env: Mapping[str, str]) -> None:
        with Path(os.devnull).open("rb") as nothing:
            self._ended = _ordered(list(map(str, arguments)), env, [nothing.fileno(), 1, 2])
        self._told = b""
        while not self._told.endswith(b" "):
            self._told += self._read()
        self.pid = int(self._told)

    async def ended(self) -> int:
        """Wait for its end; the exit code, or minus the signal that ended it."""
        return await asyncio.to_thread(self._code)

    def _code(self) -> int:
        with os.fdopen(self._ended, "rb") as ended:
            return int(ended.read())

    def _read(self) -> bytes:
        read = os.read(self._ended, 1)
        assert read, NEVER_RUN
        return read


def _run(argv: list[str], env: Mapping[str, str], typed: str) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(typed.encode())
        given.seek(0)
        with os.fdopen(_ordered(argv, env, [given.fileno(), out.fileno(), err.fileno()]), "rb") as ended:
            _, _, code = ended.read().partition(b" ")
        assert code, NEVER_RUN
        for written in (out, err):
            written.seek(0)
        return int(code), out.read().decode(), err.read().decode()


def _ordered(argv: list[str], env: Mapping[str, str], fds: list[int]) -> int:
    """Have a command run with these for its standard input, output and errors; what says its process id and its end."""
    ended, ends = os.pipe()
    with _order:
        socket.send_fds(_zygote(), [json.dumps({"argv": argv, "env": dict(env)}).encode()], [*fds, ends])
    os.close(ends)
    return ended


@cache
def _zygote() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen([sys.executable, "-m", "tests.zygote"], stdin=theirs.fileno())  # it ends when `ours` is closed
    assert ours.recv(1) == b".", "tests/zygote.py did not start"
    return ours
