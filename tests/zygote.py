"""Runs commands of ours as processes of their own without a second of imports for each.

It imports what the commands need once, and forks for each that is asked for over the socket on its standard input: a
JSON object `{"argv", "env"}` with four file descriptors: standard input, output, errors, and where its process id goes
and, once it has ended, its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from importlib import import_module

LIBRARIES = (
    "dispatch.__main__", "dispatch.app", "dispatch.drills", "dispatch.embedded", "dispatch.fanout", "dispatch.intake",
    "dispatch.projections", "dispatch.roster.demo", "dispatch.roster.imports", "dispatch.web", "rich.progress",
    "rich.table", "typer.rich_utils",
)  # fmt: skip
"""None of the commands' own modules, which look at the environment as they are imported."""
MOST_BYTES = 1 << 20


def serve() -> None:
    """Take orders until whoever gave them is gone."""
    for name in LIBRARIES:
        import_module(name)
    with socket.socket(fileno=os.dup(0)) as orders:
        orders.sendall(b".")
        while True:
            order, fds, _, _ = socket.recv_fds(orders, MOST_BYTES, 4)
            if not order:
                return
            if os.fork() == 0:
                _reap(json.loads(order), fds)
            for fd in fds:
                os.close(fd)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _reap(order: dict[str, object], fds: list[int]) -> None:
    """Between the two: tells the command's process id, waits for it, and tells its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (command := os.fork()) == 0:
        _run(order, fds)
    os.write(fds[3], f"{command} ".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    os.write(fds[3], str(code).encode())
    os._exit(0)


def _run(order: dict[str, object], fds: list[int]) -> None:
    code: object = 1
    try:
        os.setsid()
        for place, fd in enumerate(fds[:3]):
            os.dup2(fd, place)
        os.closerange(3, 256)
        os.environ.clear()
        os.environ.update(order["env"])  # type: ignore[call-overload]
        sys.argv = ["dispatch", *order["argv"]]  # type: ignore[misc]
        import_module("dispatch.__main__").main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve()
