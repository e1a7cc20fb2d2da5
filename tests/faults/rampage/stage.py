"""Where it happens: both servers and every role as processes of their own, each of which can be killed by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal, Protocol

import aiohttp
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.access import Tokens
from dispatch.embedded import EmbeddedNats, EmbeddedPostgres
from dispatch.embedded.child import Child
from dispatch.embedded.supervisor import Role
from dispatch.events import CaseLog, connect
from dispatch.migrate import migrate
from dispatch.roster import Roster
from tests.faults.rampage.proxy import Proxy, proxied
from tests.servers import open_folder
from tests.system import free_port
from tests.waiting import until

SITE = "rampage"
Victim = Literal["fanout", "serve", "project", "watch", "nats", "postgres"]
ROLES: tuple[Victim, ...] = ("serve", "fanout", "project", "watch")


class Killable(Protocol):
    @property
    def child(self) -> Child: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass
class Stage:
    """The running system. `nc` and `log` go to the server directly; the roles go through the proxies."""

    parts: Mapping[Victim, Killable]
    nats_proxy: Proxy
    postgres_proxy: Proxy
    nc: Client
    http: aiohttp.ClientSession
    url: str

    @property
    def log(self) -> CaseLog:
        return CaseLog(self.nc, SITE)

    @property
    def roster(self) -> Roster:
        return Roster(self.nc, SITE)

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.nc, SITE)

    async def kill(self, victim: Victim) -> float:
        """Kill -9, and start it again at once. Returns when it was killed, in monotonic seconds."""
        part = self.parts[victim]
        await part.child.kill()
        at = monotonic()
        await part.start()
        return at

    async def answering(self) -> None:
        """Wait until every role answers and the API is ready. One that has ended by itself is started again.

        A role gives up when the servers are away for too long at its start; where it runs, it is kept (`Supervisor`).
        """
        for role in ROLES:
            try:
                await until(lambda role=role: self._pid(role), f"{role} to answer", seconds=60)  # type: ignore[misc]
            except AssertionError as error:
                raise AssertionError(f"{error}; at last it said:\n{self.parts[role].child.last_lines()}") from None
        await until(self._ready, "the API to be ready", seconds=60)

    async def _pid(self, role: Victim) -> int | None:
        if not self.parts[role].child.running:
            await self.parts[role].start()
        with suppress(NatsError, TimeoutError):
            answer = await self.nc.request(f"ops.{SITE}.ping.{role}", timeout=0.5)
            pid = int(json.loads(answer.data)["pid"])
            return pid if pid == self.parts[role].child.pid else None
        return None

    async def _ready(self) -> bool:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.http.get("/readyz", timeout=aiohttp.ClientTimeout(total=2)) as answer:
                return answer.status == 200
        return False


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A system on a new folder; ended in order, and everything in it with it."""
    with open_folder() as folder:
        async with (
            EmbeddedNats(folder / "nats") as nats,
            EmbeddedPostgres(folder / "postgres") as postgres,
            proxied(nats.port) as nats_proxy,
            proxied(postgres.port) as postgres_proxy,
        ):
            await migrate(postgres.dsn)
            port = free_port()
            environment = {
                "DISPATCH_SITE": SITE,
                "DISPATCH_DATA": str(folder / "roles"),
                "DISPATCH_PORT": str(port),
                "DISPATCH_NATS_URL": nats.url.replace(f":{nats.port}", f":{nats_proxy.own}"),
                "DISPATCH_POSTGRES_DSN": postgres.dsn.replace(f":{postgres.port}/", f":{postgres_proxy.own}/"),
                "DISPATCH_LOG_LEVEL": "warning",
            }
            (folder / "roles").mkdir()
            roles = {role: Role(role, Path(folder, "logs"), environment) for role in ROLES}
            url = f"http://127.0.0.1:{port}"
            client = await connect(nats.url, "rampage")
            async with aiohttp.ClientSession(url) as http:
                running = Stage(
                    {**roles, "nats": nats, "postgres": postgres}, nats_proxy, postgres_proxy, client, http, url
                )
                try:
                    await asyncio.gather(*(role.start() for role in roles.values()))
                    await running.answering()
                    yield running
                finally:
                    await client.close()
                    await asyncio.gather(*(role.child.kill() for role in roles.values()))
