"""An SMSC that nobody here wrote: node-smpp, fetched with npm into a cache and run on loopback.

Its version and the hashes of its files are those of `package-lock.json`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FETCH_SECONDS = 100
WAIT_SECONDS = 20

Line = dict[str, Any]


class CannotBeHad(Exception):
    """Node, npm or the package cannot be had here; the text says which, and why."""


def fetched() -> Path:
    """The folder that has the package, fetched if it is not there yet. Raises `CannotBeHad`."""
    if (missing := [tool for tool in ("node", "npm") if shutil.which(tool) is None]) != []:
        raise CannotBeHad(f"{' and '.join(missing)} not installed: `make system-packages` does that")
    lock = (HERE / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "joint-defence-dispatch"
    there = cache / f"smsc-{hashlib.sha256(lock).hexdigest()[:16]}"
    if there.is_dir():
        return there
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as fetching:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, fetching)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=fetching, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise CannotBeHad(f"`{' '.join(command)}` did not end within {FETCH_SECONDS} s") from None
        if done.returncode:
            raise CannotBeHad(f"`{' '.join(command)}` failed: {done.stderr.strip()[-500:]}")
        with suppress(OSError):  # another test process was faster
            Path(fetching).rename(there)
            Path(fetching).mkdir()  # for the context to remove
    return there


class NodeSmsc:
    """A running one. It tells what it saw."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.seen: list[Line] = []
        self.port = 0
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.seen.append(json.loads(line))

    def of(self, what: str) -> list[Line]:
        """All that it saw of a kind, oldest first."""
        return [line for line in self.seen if line["saw"] == what]

    async def saw(self, what: str, count: int = 1, *, where: Callable[[Line], bool] = lambda _: True) -> list[Line]:
        """The first `count` things of that kind, waited for."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(found := [line for line in self.of(what) if where(line)]) < count:
                assert not self._reading.done(), f"the SMSC ended; it saw {self.seen}"
                await asyncio.sleep(0.01)
        return found[:count]

    async def tell(self, **what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        await self._process.stdin.drain()

    async def end(self) -> None:
        """As a power cut ends it."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading


@asynccontextmanager
async def node_smsc(password: str, port: int = 0) -> AsyncIterator[NodeSmsc]:
    """An SMSC on `port`, or on a free one. Raises `CannotBeHad`."""
    package = await asyncio.to_thread(fetched) / "node_modules" / "smpp"
    process = await asyncio.create_subprocess_exec(
        "node", str(HERE / "server.js"), str(package), password, str(port),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    smsc = NodeSmsc(process)
    try:
        smsc.port = (await smsc.saw("listening"))[0]["port"]
        yield smsc
    finally:
        await smsc.end()
