"""`dispatch migrate`."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from dispatch.migrate import migrate, pending
from dispatch.settings import load_settings


def register(app: typer.Typer) -> None:
    app.command("migrate")(migrate_command)


def migrate_command(
    check: Annotated[bool, typer.Option("--check", help="Only say what is missing (exit code 1).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a machine.")] = False,
) -> None:
    """Bring Postgres to the newest schema. `dispatch up` does it by itself.

    Examples:

      dispatch migrate

      dispatch migrate --check --json
    """
    dsn = load_settings().require_postgres()
    if not check:
        asyncio.run(migrate(dsn))
    missing = asyncio.run(pending(dsn))
    if as_json:
        typer.echo(json.dumps({"pending": missing}))
    else:
        typer.echo("\n".join(f"missing: {name}" for name in missing) or "The schema is current.")
    if missing:
        raise typer.Exit(1)
