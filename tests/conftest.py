"""Fixtures for everybody: servers for the session, and for each test a site, a database and settings of its own."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import structlog
from nats.aio.client import Client
from xdist.remote import Producer

from dispatch.embedded import EmbeddedNats, EmbeddedPostgres
from dispatch.events import connect, ensure_streams
from dispatch.identifiers import Site
from dispatch.migrate import migrate
from dispatch.settings import Settings
from tests.messengers import Messenger, messenger
from tests.servers import Servers, in_memory, open_folder, started
from tests.sharing import WholeFiles, turn


def pytest_configure() -> None:
    """Temporary files in memory, where there is room and TMPDIR names no other place; logs without Rich's tracebacks.

    A server that waits for a disk, and a traceback that is drawn, hold everybody up, on a busy machine for seconds.
    No process reads the certificates of a world to which none speaks: they are a fifteenth of what its start takes.
    """
    os.environ["SSL_CERT_FILE"] = os.devnull
    place = in_memory()
    if place is not None and "TMPDIR" not in os.environ:
        os.environ["TMPDIR"] = tempfile.tempdir = str(place)
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, plain])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles:
    return WholeFiles(config, log)


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """The servers of this session; see `tests/servers.py`."""
    async with started() as running:
        yield running


@pytest.fixture(scope="session")
def nats_url(servers: Servers) -> str:
    return servers.nats_url


@pytest.fixture(scope="session")
async def migrated_template(servers: Servers) -> AsyncIterator[str]:
    """The name of a database with the newest schema, to make others from; nobody may stay connected to it."""
    name = f"template_{secrets.token_hex(4)}"
    await migrate(with_database(servers.postgres_dsn, name))
    yield name
    await on_server(servers, f"drop database {name} with (force)")


@pytest.fixture
async def postgres_dsn(servers: Servers, migrated_template: str) -> AsyncIterator[str]:
    """A migrated database of this test's own."""
    async with database(servers, migrated_template) as dsn:
        yield dsn


@pytest.fixture
def site() -> Site:
    """A site of this test's own on the session's NATS, whose streams all sites share."""
    return Site(f"t{secrets.token_hex(5)}")


@pytest.fixture
async def nc(nats_url: str) -> AsyncIterator[Client]:
    """A connection to the session's NATS, with our streams there."""
    client = await connect(nats_url, "test")
    await ensure_streams(client.jetstream())
    yield client
    await client.close()


@pytest.fixture
def nats_settings(nats_url: str, site: Site) -> Settings:
    """Settings of this test's own, where nothing needs Postgres."""
    return Settings(site=site, nats_url=nats_url, private_push_endpoints=True)


@pytest.fixture
async def ntfy() -> AsyncIterator[Messenger]:
    async with messenger() as server:
        yield server


@pytest.fixture
def settings(servers: Servers, site: Site, postgres_dsn: str, tmp_path: Path) -> Settings:
    """Settings of this test's own: a new site on the session's NATS, and its own database."""
    return Settings(
        site=site,
        data=tmp_path,
        nats_url=servers.nats_url,
        postgres_dsn=postgres_dsn,
        mqtt_port=servers.mqtt_port,
        auth_callout_seed=servers.auth_callout_seed,
        private_push_endpoints=True,
        port=0,
    )


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder for servers that a test starts itself."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
async def own_nats() -> AsyncIterator[EmbeddedNats]:
    """A nats-server of this file's own, which a test may kill and start again."""
    with open_folder() as folder:
        async with EmbeddedNats(folder) as running:
            yield running


@pytest.fixture
async def fresh_nats(server_folder: Path) -> AsyncIterator[EmbeddedNats]:
    """A nats-server of this test's own, which it may kill."""
    async with EmbeddedNats(server_folder) as server:
        yield server


@pytest.fixture
async def fresh_postgres(server_folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A Postgres of this test's own, which it may kill; its schema is the newest."""
    async with EmbeddedPostgres(server_folder) as server:
        await migrate(server.dsn)
        yield server


@asynccontextmanager
async def database(servers: Servers, template: str) -> AsyncIterator[str]:
    """A new database, made from `template`; its DSN."""
    name = f"test_{secrets.token_hex(6)}"
    await on_server(servers, f"create database {name} template {template}")
    yield with_database(servers.postgres_dsn, name)
    await on_server(servers, f"drop database {name} with (force)")


def with_database(dsn: str, name: str) -> str:
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


async def on_server(servers: Servers, statement: str) -> None:
    connection = await asyncpg.connect(servers.postgres_dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
