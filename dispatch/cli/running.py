"""What `dispatch up` runs: servers, schema, roles, and how they begin and end together."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import aiohttp
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dispatch.embedded import EmbeddedNats, EmbeddedPostgres
from dispatch.embedded.kept import KeptPorts, write_private
from dispatch.embedded.supervisor import Role, Supervisor
from dispatch.errors import SetupError, Unavailable
from dispatch.listening import why_not
from dispatch.migrate import migrate
from dispatch.roles import ROLES
from dispatch.settings import RunningServers, Settings, default_data_folder

AGAIN_SECONDS = 5.0
"""Between two tries to bring a Postgres up to date that was away at the start."""


@contextmanager
def alone(data: Path, in_use: str) -> Iterator[None]:
    """Hold the data folder: only one may work on it. Raises `SetupError`, saying `in_use`, when one does already."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data / "up.lock").open("a")
    except OSError as error:
        raise SetupError(
            f"the data folder {data} cannot be used ({error.strerror}): name another with --data"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(in_use) from None
        (data / "servers.json").unlink(missing_ok=True)
        yield


def require_port(settings: Settings) -> None:
    """Raises `SetupError` when a port is named on which `serve` could not listen."""
    if settings.port and (reason := why_not(settings.port, settings.host)) is not None:
        other = settings.port + 1 if 1024 <= settings.port < 65535 else 8081
        raise SetupError(
            f"port {settings.port} {reason}: choose where to listen with DISPATCH_PORT and DISPATCH_HOST, "
            f"for example `dispatch up --port {other}` or `DISPATCH_PORT={other} make up`"
        )


class Running:
    """One run of everything. Made once per `dispatch up`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._console = Console(highlight=False)
        self._supervisor = Supervisor(self._report)
        self._ports = KeptPorts(settings.data / "ports.json", self._say)
        self._asked_to_stop = asyncio.Event()
        self._late_migration: asyncio.Task[None] | None = None
        self._killing: asyncio.Task[None] | None = None

    async def until_stopped(self, *, demo: bool) -> None:
        """Start everything, say where it is, and run until Ctrl-C or SIGTERM. Raises `SetupError`."""
        self._choose_port()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        begin = asyncio.create_task(self._begin(demo=demo))
        stop = asyncio.create_task(self._asked_to_stop.wait())
        try:
            await asyncio.wait({begin, stop}, return_when=asyncio.FIRST_COMPLETED)
            if begin.done():
                begin.result()
                await stop
        finally:
            begin.cancel()
            stop.cancel()
            await asyncio.wait({begin, stop})
            await self._end()

    async def _begin(self, *, demo: bool) -> None:
        nats, postgres = await self._start_servers()
        self._settings.nats_url = self._settings.nats_url or (nats.url if nats else None)
        self._settings.postgres_dsn = self._settings.postgres_dsn or (postgres.dsn if postgres else None)
        if nats:
            self._settings.mqtt_port = nats.mqtt_port
        await self._migrate()
        if demo:
            from dispatch.app import seed_demo  # only here, for it takes a second to import

            await seed_demo(self._settings)
        self._write_servers_file()
        for name in ROLES:
            await self._supervisor.start(Role(name, self._logs, self._environment(name, nats)))
        await self._until_ready()
        self._console.print(self._box())
        for label, link in await self._links(demo=demo):
            self._console.print(Text.assemble((f"{label}  ", "bold"), link), soft_wrap=True)
        if not demo:
            self._say_how_to_sign_in()

    async def _end(self) -> None:
        self._say("stopping …")
        if self._late_migration is not None:
            self._late_migration.cancel()
        await self._supervisor.stop(first=ROLES)
        if self._killing is not None:
            await self._killing
        self._settings.servers_file.unlink(missing_ok=True)
        self._say("stopped; data are kept in " + str(self._settings.data))

    def _on_signal(self) -> None:
        if self._asked_to_stop.is_set():
            self._say("forced: ending everything at once")
            self._killing = asyncio.create_task(self._supervisor.kill())
        self._asked_to_stop.set()

    def _choose_port(self) -> None:
        if self._settings.port == 0:
            self._settings.port = self._ports.port("http")
        else:
            require_port(self._settings)

    async def _start_servers(self) -> tuple[EmbeddedNats | None, EmbeddedPostgres | None]:
        settings = self._settings
        nats = postgres = None
        if settings.nats_url is None:
            nats = EmbeddedNats(settings.data, port=settings.nats_port, mqtt_port=settings.mqtt_port, say=self._say)
            await self._supervisor.start(nats)
            self._say(f"nats-server is ready on 127.0.0.1:{nats.port}")
        if settings.postgres_dsn is None:
            postgres = EmbeddedPostgres(settings.data, port=settings.postgres_port, say=self._say)
            await self._supervisor.start(postgres)
            self._say(f"Postgres is ready on 127.0.0.1:{postgres.port}")
        return nats, postgres

    async def _migrate(self) -> None:
        """Bring the schema up to date; while Postgres is down do it later, for the alarm path needs none."""
        try:
            await migrate(self._settings.require_postgres())
        except Unavailable as error:
            self._report(f"going on without Postgres, and trying again every {AGAIN_SECONDS:.0f} s: {error}", "")
            self._late_migration = asyncio.create_task(self._migrate_later())

    async def _migrate_later(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            try:
                await migrate(self._settings.require_postgres())
            except Unavailable:
                continue
            except Exception as error:  # noqa: BLE001 - boards stand still, and somebody must hear why
                self._report(f"the schema of Postgres is not current; run `dispatch migrate`: {error}", "")
            else:
                self._say("Postgres is back, and its schema is current")
            return

    def _environment(self, role: str, nats: EmbeddedNats | None) -> dict[str, str]:
        settings = self._settings
        values = {
            "DISPATCH_DATA": str(settings.data.absolute()),
            "DISPATCH_NATS_URL": settings.require_nats(),
            "DISPATCH_POSTGRES_DSN": settings.require_postgres(),
            "DISPATCH_PORT": str(settings.port),
        }
        if settings.mqtt_port is not None:
            values["DISPATCH_MQTT_PORT"] = str(settings.mqtt_port)
        if nats is not None:
            values["DISPATCH_AUTH_CALLOUT_SEED"] = nats.auth_callout_seed
            values["DISPATCH_NATS_SYSTEM_URL"] = nats.system_url
            values["DISPATCH_MQTT_URL"] = nats.mqtt_url
        if role != "serve":
            values["DISPATCH_ADMIN_PORT"] = str(self._ports.port(role))
        return values

    def _write_servers_file(self) -> None:
        settings = self._settings
        running = RunningServers(
            site=settings.site,
            nats_url=settings.require_nats(),
            postgres_dsn=settings.require_postgres(),
            mqtt_port=settings.mqtt_port,
            pid=os.getpid(),
            port=settings.port,
        )
        write_private(settings.servers_file, running.model_dump_json(indent=2) + "\n")

    async def _until_ready(self, patience: float = 60) -> None:
        """Wait until `serve` says that it is ready. Raises `SetupError` with what it said instead."""
        host = "127.0.0.1" if self._settings.host in {"0.0.0.0", "::"} else self._settings.host  # noqa: S104 - compared
        url = f"http://{host}:{self._settings.port}/readyz"
        deadline = monotonic() + patience
        said = "no answer"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            while monotonic() < deadline:
                try:
                    async with http.get(url) as answer:
                        if answer.status == 200:
                            return
                        said = f"{answer.status} {(await answer.text())[:500]}"
                except (aiohttp.ClientError, TimeoutError) as error:
                    said = str(error) or type(error).__name__
                await asyncio.sleep(0.1)
        raise SetupError(f"not ready after {patience:.0f} s: {url} said {said}; see {self._logs}")

    async def _links(self, *, demo: bool) -> list[tuple[str, str]]:
        if not demo:
            return []
        from dispatch.app import demo_links  # as in _begin

        return await demo_links(self._settings)

    def _say_how_to_sign_in(self) -> None:
        """Tokens are stored as hashes: those that were given out work on, and no link can be shown again."""
        data = self._settings.data
        where = "" if data == default_data_folder() else f"DISPATCH_DATA={shlex.quote(str(data.absolute()))} "
        self._console.print(
            Text("登录 to sign in: links given out before still work; a new one is printed by"), soft_wrap=True
        )
        for whom in ("operator NAME", "responder PERSON", "device HOUSEHOLD"):
            self._console.print(Text(f"  {where}dispatch token new {whom}"), soft_wrap=True)

    def _box(self) -> Panel:
        settings = self._settings
        table = Table.grid(padding=(0, 2))
        facts = [
            ("URL", settings.url),
            ("MQTT", f"127.0.0.1:{settings.mqtt_port}" if settings.mqtt_port else ""),
            ("Data", str(settings.data)),
            ("", "logs/ has what each role says; servers.json has addresses and passwords"),
        ]
        for label, value in facts:
            if value:
                table.add_row(Text(label, style="bold"), Text(value, overflow="fold"))
        return Panel(table, title="一呼多应 Dispatch", subtitle="Ctrl-C stops it", expand=False)

    @property
    def _logs(self) -> Path:
        return self._settings.data / "logs"

    def _say(self, line: str) -> None:
        self._console.print(Text(line, style="dim"), soft_wrap=True)

    def _report(self, line: str, log: str) -> None:
        self._console.print(Text(line, style="yellow"), soft_wrap=True)
        if log:
            self._console.print(Panel(Text(log), border_style="red"))
