"""The NATS and Postgres that the suite runs on, chosen by `DISPATCH_TEST_SERVERS`.

`embedded` (the default) starts those of the wheels; `containers` starts the images named by
`DISPATCH_TEST_NATS_IMAGE` and `DISPATCH_TEST_POSTGRES_IMAGE` with Testcontainers; `external` uses
`DISPATCH_TEST_NATS_URL` and `DISPATCH_TEST_POSTGRES_DSN`, whose user may create databases.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import asyncpg
import nats
import nats.errors
import psutil

from dispatch.embedded import EmbeddedNats, EmbeddedPostgres
from dispatch.embedded.nats import configuration, new_account_seed

PASSWORD = "for-tests-only"
MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there has a name that nobody can foresee
ROOM_BYTES = 3 << 30
"""Several times what the servers of four processes were seen to fill: 0.7 GB."""


@dataclass(frozen=True)
class Servers:
    """Where the servers of this session are. MQTT and the callout are known only where we configured the server."""

    nats_url: str
    postgres_dsn: str
    mqtt_port: int | None = None
    auth_callout_seed: str | None = None


def in_memory(place: Path = MEMORY, needed: int = ROOM_BYTES) -> Path | None:
    """`place`, where files are in memory, if others may run programs there and it and the machine have so much room.

    A server syncs there as on a disk and waits for none. What it synced outlives every kill -9 as it does on a disk:
    only a power cut tells the two apart.
    """
    try:
        found = os.statvfs(place)
    except OSError:
        return None
    room = min(found.f_bavail * found.f_frsize, psutil.virtual_memory().available)
    return place if room >= needed and not found.f_flag & os.ST_NOEXEC else None


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that Postgres's own user may enter; pytest's `tmp_path` is closed to it when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="dispatch-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def started() -> AsyncIterator[Servers]:
    """The servers of one session. Raises `LookupError` on an unknown kind."""
    kinds = {"embedded": _embedded, "containers": _containers, "external": _external}
    async with kinds[os.environ.get("DISPATCH_TEST_SERVERS", "embedded")]() as servers:
        yield servers


@asynccontextmanager
async def _embedded() -> AsyncIterator[Servers]:
    with open_folder() as folder:
        async with EmbeddedNats(folder) as server, EmbeddedPostgres(folder) as database:
            yield Servers(server.url, database.dsn, server.mqtt_port, server.auth_callout_seed)


@asynccontextmanager
async def _external() -> AsyncIterator[Servers]:
    yield Servers(os.environ["DISPATCH_TEST_NATS_URL"], os.environ["DISPATCH_TEST_POSTGRES_DSN"])


@asynccontextmanager
async def _containers() -> AsyncIterator[Servers]:
    from testcontainers.core.container import DockerContainer  # slow to import, and only this way needs it

    seed = new_account_seed()
    text = configuration(
        password=PASSWORD, seed=seed, listen="0.0.0.0:4222", mqtt_listen="0.0.0.0:1883", pid_file="", store="/data"
    )
    server = (
        DockerContainer(os.environ.get("DISPATCH_TEST_NATS_IMAGE", "nats:2"))
        .with_copy_into_container(text.encode(), "/nats.conf")
        .with_command("-c /nats.conf")
        .with_exposed_ports(4222, 1883)
    )
    database = (
        DockerContainer(os.environ.get("DISPATCH_TEST_POSTGRES_IMAGE", "postgres:18"))
        .with_env("POSTGRES_USER", "dispatch")
        .with_env("POSTGRES_PASSWORD", PASSWORD)
        .with_env("POSTGRES_DB", "dispatch")
        .with_exposed_ports(5432)
    )
    with server, database:
        host = server.get_container_host_ip()
        url = f"nats://dispatch:{PASSWORD}@{host}:{server.get_exposed_port(4222)}"
        address = f"{database.get_container_host_ip()}:{database.get_exposed_port(5432)}"
        dsn = f"postgresql://dispatch:{PASSWORD}@{address}/dispatch?sslmode=disable"
        await _until(lambda: _use_nats(url))
        await _until(lambda: _use_postgres(dsn))
        yield Servers(url, dsn, int(server.get_exposed_port(1883)), seed)


async def _use_nats(url: str) -> None:
    client = await nats.connect(url, allow_reconnect=False, connect_timeout=2)
    await client.jetstream().account_info()
    await client.close()


async def _use_postgres(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=5)
    await connection.close()


async def _until(use: Callable[[], Awaitable[None]], patience: float = 60) -> None:
    deadline = monotonic() + patience
    while True:
        try:
            return await use()
        except (OSError, nats.errors.Error, asyncpg.PostgresError, asyncpg.InterfaceError):
            if monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
