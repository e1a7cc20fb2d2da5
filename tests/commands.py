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

SECONDS = 60
_order = threading.Lock()


async def dispatch(*arguments: object, env: Mapping[str, str], typed: str | None = None) -> tuple[int, str, str]:
    """Run the command in the environment `env`, with `typed` on its standard input (nothing when not given)."""
    return await asyncio.wait_for(asyncio.to_thread(_run, list(map(str, arguments)), dict(env), typed or ""), SECONDS)


def _run(argv: list[str], env: dict[str, str], typed: str) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(typed.encode())
        given.seek(0)
        ended, ends = os.pipe()
        try:
            with _order:
                fds = [given.fileno(), out.fileno(), err.fileno(), ends]
                socket.send_fds(_zygote(), [json.dumps({"argv": argv, "env": env}).encode()], fds)
            os.close(ends)
            code = os.read(ended, 16)
        finally:
            os.close(ended)
        assert code, "the command was never run; see tests/zygote.py"
        for written in (out, err):
            written.seek(0)
        return int(code), out.read().decode(), err.read().decode()


@cache
def _zygote() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen([sys.executable, "-m", "tests.zygote"], stdin=theirs.fileno())  # it ends when `ours` is closed
    assert ours.recv(1) == b".", "tests/zygote.py did not start"
    return ours
