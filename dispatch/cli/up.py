"""`dispatch up`: everything on this machine, one process per role, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from dispatch.moved_clock import go_by_settings
from dispatch.settings import load_settings
from dispatch.telemetry import configure


def register(app: typer.Typer) -> None:
    app.command("up")(up)


def up(
    demo: Annotated[
        bool, typer.Option(help="Fill an empty roster with invented people and print their links.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="Serve on this port; 0 chooses a free one.", min=0, max=65535)
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Keep data in this folder.")] = None,
) -> None:
    """Start everything and keep it running until Ctrl-C.

    Starts a NATS server and a Postgres of its own, unless DISPATCH_NATS_URL or DISPATCH_POSTGRES_DSN
    name others, and one process each for serve, fanout, project and watch. Data are kept between runs.

    Examples:

      dispatch up --demo

      dispatch up --port 8090 --data ~/dispatch-data

      DISPATCH_NATS_URL=nats://nats.example:4222 dispatch up
    """
    # Here alone: it takes half a second to import, and other commands need none of it.
    from dispatch.cli.running import Running, alone, require_port

    if port is not None:
        os.environ["DISPATCH_PORT"] = str(port)
    if data is not None:
        os.environ["DISPATCH_DATA"] = str(data.expanduser().absolute())
    wanted = load_settings()
    folder = wanted.data
    if not folder.exists():  # where it does another `dispatch up` may have both folder and port, which is said
        require_port(wanted)
    in_use = f"another `dispatch up` is running on {folder}: stop it, or give this one its own folder with --data"
    with alone(folder, in_use):
        settings = load_settings()
        configure("up", settings.model_copy(update={"log_format": "console", "log_level": "error"}))
        go_by_settings(settings)
        asyncio.run(Running(settings).until_stopped(demo=demo))
