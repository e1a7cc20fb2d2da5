"""An SMSC on a protocol stack that nobody here wrote, node-smpp, run on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.node_packages import fetched

HERE = Path(__file__).parent
WAIT_SECONDS = 20

Line = dict[str, Any]


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
    package = await asyncio.to_thread(fetched, HERE / "package-lock.json") / "smpp"
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
