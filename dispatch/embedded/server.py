"""What an embedded nats-server and an embedded Postgres have in common: one folder, one process, one life."""

from __future__ import annotations

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import ClassVar, Self

from dispatch.embedded.child import Child, SystemUser, stop_left_over
from dispatch.embedded.kept import KeptPorts
from dispatch.errors import SetupError


class EmbeddedServer(ABC):
    """A server whose data, configuration, secrets and ports are in `folder`, kept from run to run.

    Use it as an async context manager, or `start` and `stop` it. Only one may run on a folder: whoever starts
    it there stops what an earlier run left behind. `say` is told, in one line, what a person should know.
    """

    name: ClassVar[str]
    gentle: ClassVar[signal.Signals]
    """The signal that ends it in order."""
    patience: ClassVar[float] = 120
    """Seconds that it may take to be ready; reading a large data folder after a crash takes a while."""

    def __init__(self, folder: Path, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder.absolute()
        self._say = say
        self._ports = KeptPorts(self.folder / "ports.json", say)
        self.child = Child(self.name, self.folder / "logs" / f"{self.name}.log")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it and wait until it answers. Raises `SetupError` with its own last words when it does not."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        left_over = await asyncio.to_thread(stop_left_over, self._pid_file(), self._home(), self.gentle)
        if left_over is not None:
            self._say(f"stopped a {self.name} that an earlier run left behind (process {left_over})")
        await self._prepare()
        await self.child.start(
            self._command(),
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            folder="/",
            user=self._user(),
            death_signal=self.gentle,
        )
        try:
            await self._until_ready()
        except BaseException:
            await self.child.kill()
            raise

    async def stop(self) -> None:
        """End it in order; what it holds is on disk."""
        await self.child.stop(self.gentle, patience=30)

    async def kill(self) -> None:
        """End it as a power cut would; `start` goes on with the same data and ports."""
        await self.child.kill()

    async def _until_ready(self) -> None:
        deadline = monotonic() + self.patience
        trouble: Exception | None = None
        while monotonic() < deadline:
            if not self.child.running:
                raise SetupError(f"{self.name} stopped while starting; its last words:\n{self.child.last_lines()}")
            try:
                await self._probe()
            except (OSError, TimeoutError) as error:
                trouble = error
                await asyncio.sleep(0.05)
            else:
                return
        words = self.child.last_lines()
        raise SetupError(f"{self.name} was not ready in {self.patience:.0f} s ({trouble}); its last words:\n{words}")

    def _user(self) -> SystemUser | None:
        return None

    def _home(self) -> Path:
        """The folder that its command line names."""
        return self.folder / self.name

    @abstractmethod
    def _pid_file(self) -> Path: ...

    @abstractmethod
    async def _prepare(self) -> None:
        """Write what it needs to start; choose its ports."""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    async def _probe(self) -> None:
        """Use it once as a client would. Raises `OSError` or `TimeoutError` while it cannot be used yet."""
