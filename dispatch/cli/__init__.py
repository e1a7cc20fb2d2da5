"""The commands. Each module named here has `register(app)`, which adds its own."""

from __future__ import annotations

from importlib import import_module

import typer

GROUPS = ("up", "alarm", "roster", "tokens", "doctor", "serve", "migrate", "cases", "dlq", "rebuild")

EXAMPLES = """
One call, many responders / 一呼多应.

Examples:

  dispatch up --demo                everything on this machine, with a demo roster

  dispatch doctor                   what is wrong, and what to do

  DISPATCH_PORT=8090 dispatch up    every setting is an environment variable, too
"""


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="dispatch",
        help=EXAMPLES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for group in GROUPS:
        import_module(f"dispatch.cli.{group}").register(app)
    return app
