"""`dispatch …` on a pseudo-terminal of its own, where keys are typed and Ctrl-C is a signal, as in a user's window."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

SECONDS = 60
CTRL_C = "\x03"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ON_ITS_TERMINAL = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests that a shell runs in the background were given it ignored
os.login_tty(0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class OnTerminal:
    """A command whose standard input, output and errors are one terminal."""

    def __init__(self, window: int, process: subprocess.Popen[bytes]) -> None:
        self._window, self._process = window, process
        self._seen = b""

    @property
    def screen(self) -> str:
        """All that was shown so far, without colours and movements of the cursor."""
        return _COLOURS.sub("", self._seen.decode(errors="replace")).replace("\r\n", "\n")

    async def shows(self, text: str) -> None:
        """Wait until `text` is on the screen."""
        async with asyncio.timeout(SECONDS):
            while text not in self.screen:
                assert await asyncio.to_thread(self._read), f"it ended without {text!r}:\n{self.screen}"

    def types(self, keys: str) -> None:
        os.write(self._window, keys.encode())

    async def ended(self) -> int:
        """Wait for its end; the exit code, or minus the signal that ended it."""
        async with asyncio.timeout(SECONDS):
            while await asyncio.to_thread(self._read):
                pass
            return await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> bool:
        """Whether anything came; a terminal that nobody has open any more cannot be read."""
        with suppress(OSError):
            more = os.read(self._window, 4096)
            self._seen += more
            return bool(more)
        return False


@contextmanager
def on_terminal(*arguments: object, env: Mapping[str, str]) -> Iterator[OnTerminal]:
    """Run the command in the environment `env`; it is killed in the end, if it has not ended by then."""
    window, inside = pty.openpty()
    command = [sys.executable, "-m", "dispatch", *map(str, arguments)]
    process = subprocess.Popen([sys.executable, "-c", _ON_ITS_TERMINAL, *command], env=dict(env), stdin=inside)
    os.close(inside)
    terminal = OnTerminal(window, process)
    try:
        yield terminal
    finally:
        terminal.kill()
        os.close(window)
