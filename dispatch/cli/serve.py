"""`dispatch serve`, `fanout`, `project`, `watch`: one process per role, as production runs them."""

from __future__ import annotations

import typer

from dispatch.moved_clock import go_by_settings
from dispatch.process import run
from dispatch.roles import Role
from dispatch.settings import load_settings
from dispatch.telemetry import configure


def register(app: typer.Typer) -> None:
    for command in (serve, fanout, project, watch):
        app.command()(command)


def serve() -> None:
    """Serve the API, the pages and the live stream, and let buttons in.

    Examples:

      dispatch serve

      DISPATCH_HOST=0.0.0.0 DISPATCH_PUBLIC_URL=https://dispatch.example dispatch serve
    """
    _play("serve")


def fanout() -> None:
    """Take presses, decide, and call everybody at once. Several may run; they share the work.

    Examples:

      dispatch fanout
    """
    _play("fanout")


def project() -> None:
    """Keep the read models in Postgres up to date with the log.

    Examples:

      dispatch project
    """
    _play("project")


def watch() -> None:
    """Compare what is owed with what was done, every second, and raise the alarm about the alarm.

    Examples:

      dispatch watch
    """
    _play("watch")


def _play(role: Role) -> None:
    from dispatch import app  # takes a second to import, and --help needs none of it

    settings = load_settings()
    configure(role, settings)
    go_by_settings(settings)
    run(app.play(role, settings))
