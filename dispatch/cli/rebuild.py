"""`dispatch rebuild`: read models are disposable, and made again from the log."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from dispatch.projections import rebuild
from dispatch.settings import load_settings


def register(app: typer.Typer) -> None:
    app.command("rebuild")(rebuild_command)


def rebuild_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[READ MODEL]…", help="All, if none is given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a machine.")] = False,
) -> None:
    """Forget read models and let `dispatch project` make them again from the whole log. Nobody is called.

    The board is incomplete until it has caught up; the alarm path does not use it.

    Examples:

      dispatch rebuild

      dispatch rebuild latency responses
    """
    settings = load_settings()
    forgotten = asyncio.run(rebuild(settings.require_postgres(), settings.site, names or []))
    if as_json:
        typer.echo(json.dumps({"rebuilding": forgotten}))
    else:
        typer.echo(f"重建 rebuilding: {', '.join(forgotten)}")
