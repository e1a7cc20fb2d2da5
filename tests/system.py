"""The whole system as a user starts it: `dispatch up` as a process, on a folder and ports of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Self, TypeVar

import aiohttp
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.access import Tokens
from dispatch.events import connect
from dispatch.identifiers import AreaId
from dispatch.roster import Roster
from dispatch.settings import RunningServers, Settings
from tests.waiting import until

ROLES = ("serve", "fanout", "project", "watch")
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class System:
    """A running `dispatch up`. Everything in it is real; `kill` ends one of its processes as a crash would."""

    def __init__(self, folder: Path, *, demo: bool = True, environment: dict[str, str] | None = None) -> None:
        self.folder, self._demo = folder, demo
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment or {}
        self._log = folder / "up.log"

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.nc.close()
        await self.stop()

    async def start(self) -> None:
        """Start `dispatch up` and wait until every role answers. Raises `AssertionError` with its output."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DISPATCH_")}
        environment |= {"DISPATCH_PRIVATE_PUSH_ENDPOINTS": "true", **self._environment}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "dispatch", "up", "--demo" if self._demo else "--no-demo",
                "--port", str(self.port), "--data", str(self.folder),
                env=environment, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        self.http = aiohttp.ClientSession(self.url)
        await until(self._is_up, f"`dispatch up` to be ready; it said:\n{self.output()}", seconds=60)
        self.settings = self._read_settings()
        self.nc: Client = await connect(self.settings.require_nats(), "test")
        self.roster = Roster(self.nc, self.settings.site)
        self.tokens = Tokens(self.nc, self.settings.site)
        for role in ROLES:
            await until(lambda role=role: self.pid(role), f"{role} to answer", seconds=20)  # type: ignore[misc]

    async def stop(self) -> None:
        """Ctrl-C, and wait for a clean end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        await asyncio.wait_for(self._process.wait(), 30)

    async def kill_everything(self) -> None:
        """Kill -9 `dispatch up`; what it started dies with it."""
        self._process.kill()
        await self._process.wait()

    async def kill(self, role: str) -> int:
        """Kill -9 one role's process; returns the pid that it had. The supervisor starts another."""
        pid = await until(lambda: self.pid(role), f"{role} to answer")
        os.kill(pid, signal.SIGKILL)
        return pid

    async def pid(self, role: str) -> int | None:
        """The process that plays `role` now, or None while nobody answers."""
        try:
            answer = await self.nc.request(f"ops.{self.settings.site}.ping.{role}", timeout=0.5)
        except (NatsError, TimeoutError):
            return None
        return int(json.loads(answer.data)["pid"])

    async def restarted(self, role: str, before: int) -> int:
        """Wait until another process than `before` plays `role`; returns its pid."""

        async def other() -> int | None:
            now = await self.pid(role)
            return now if now != before else None

        return await until(other, f"{role} to be started again")

    async def token(self, role: str, subject: str, area: str | None = None) -> str:
        """A new bearer token."""
        issued = await self.tokens.issue(
            role,  # type: ignore[arg-type]
            subject,
            label="test",
            area=AreaId(area) if area else None,
        )
        return issued.secret

    async def link(self, role: str, subject: str, area: str | None = None) -> str:
        """A sign-in link, as `dispatch up` prints them."""
        return f"{self.url}/in#{await self.token(role, subject, area)}"

    def output(self) -> str:
        return self._log.read_text(errors="replace")[-4000:] if self._log.exists() else ""

    async def _is_up(self) -> bool:
        if self._process.returncode is not None:
            raise AssertionError(f"`dispatch up` ended with {self._process.returncode}:\n{self.output()}")
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self.http.get("/readyz", timeout=aiohttp.ClientTimeout(total=2)) as answer:
                return answer.status == 200
        return False

    def _read_settings(self) -> Settings:
        running = RunningServers.model_validate_json((self.folder / "servers.json").read_text())
        return Settings(
            site=running.site,
            data=self.folder,
            port=self.port,
            nats_url=running.nats_url,
            postgres_dsn=running.postgres_dsn,
            mqtt_port=running.mqtt_port,
        )
