"""The schema: brought up to date once, checked often, and honest about what is in the way."""

from __future__ import annotations

import secrets
from pathlib import Path

import asyncpg
import pytest

from dispatch import migrate as module
from dispatch.errors import SetupError, Unavailable
from dispatch.migrate import migrate, migrations_folder, pending
from tests.conftest import on_server, with_database
from tests.servers import Servers

NOBODY = "postgresql://dispatch:x@127.0.0.1:1/dispatch?sslmode=disable"


async def test_an_empty_server_gets_the_newest_schema_and_keeps_it(servers: Servers) -> None:
    name = f"empty_{secrets.token_hex(4)}"
    dsn = with_database(servers.postgres_dsn, name)
    await on_server(servers, f"create database {name}")
    try:
        assert await pending(dsn) == sorted(file.name for file in migrations_folder().glob("*.sql"))
        await migrate(dsn)
        assert await pending(dsn) == []
        await migrate(dsn)
    finally:
        await on_server(servers, f"drop database {name} with (force)")


async def test_a_test_has_a_migrated_database_of_its_own(postgres_dsn: str) -> None:
    assert await pending(postgres_dsn) == []


async def test_a_migration_that_fails_is_reported_and_leaves_nothing(
    postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "-- migrate:up\ncreate table half_done (a int);\nselect nonsense;\n-- migrate:down\n"
    (tmp_path / "99990101000000_broken.sql").write_text(broken)
    monkeypatch.setattr(module, "migrations_folder", lambda: tmp_path)
    with pytest.raises(SetupError, match=r'(?s)newest schema.*column "nonsense" does not exist'):
        await migrate(postgres_dsn)
    connection = await asyncpg.connect(postgres_dsn)
    assert await connection.fetchval("select to_regclass('half_done')") is None
    await connection.close()


async def test_postgres_that_is_down_is_no_wrong_schema() -> None:
    with pytest.raises(Unavailable, match="Postgres does not answer"):
        await migrate(NOBODY)
    with pytest.raises(Unavailable, match="Postgres does not answer"):
        await pending(NOBODY)
