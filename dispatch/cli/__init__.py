"""The commands. Each module named here has `register(app)`, which adds its own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

MODULES = {
    "up": "up",
    "alarm": "alarm",
    "case": "cases",
    "roster": "roster",
    "history": "history",
    "token": "tokens",
    "dlq": "dlq",
    "drill": "drill",
    "report": "report",
    "doctor": "doctor",
    "serve": "serve",
    "fanout": "serve",
    "project": "serve",
    "watch": "serve",
    "migrate": "migrate",
    "rebuild": "rebuild",
    "backup": "archive",
    "restore": "archive",
    "verify": "archive",
    "what-if": "what_if",
}
"""Where each command is. Only the one that is asked for is imported: a worker that died is back the sooner for it."""

EXAMPLES = """
One call, many responders / 一呼多应.

Examples:

  dispatch up --demo                everything on this machine, with a demo roster

  dispatch alarm h-0002 --drill     press a household's key, as a drill

  dispatch case list                the open cases

  dispatch report                   this month in figures

  dispatch doctor                   what is wrong, and what to do

  DISPATCH_PORT=8090 dispatch up    every setting is an environment variable, too

Exit codes: 0 done; 1 refused, not found or failed; 2 wrong usage; 130 stopped with Ctrl-C.
"""


class _Help:
    """Shows a flag without a type, for it takes no value, and paragraphs as wide as the terminal, not as the code."""

    help: str | None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.help = "\n\n".join(map(_flowing, (self.help or "").split("\n\n")))
        super().format_help(ctx, formatter)  # type: ignore[misc]

    def get_params(self, ctx: Any) -> Any:
        found = super().get_params(ctx)  # type: ignore[misc]
        for param in found:
            if isinstance(param, TyperOption) and param.is_bool_flag:
                param.metavar = ""
        return found


def _flowing(paragraph: str) -> str:
    """`paragraph` on one line, but for what is set out in lines of its own."""
    return paragraph if "\n " in paragraph else paragraph.replace("\n", " ")


class _Command(_Help, TyperCommand):
    pass


class _Group(_Help, TyperGroup):
    pass


class _InPlainWords(_Group):
    """Says what was typed wrongly without the words of the library that found it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


def build(asked: str | None = None) -> typer.Typer:
    """The command line: all of it, or what the command `asked` for needs."""
    app = typer.Typer(
        name="dispatch",
        cls=_InPlainWords,
        help=EXAMPLES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_nothing,
    )
    modules = [MODULES[asked]] if asked in MODULES else dict.fromkeys(MODULES.values())
    for module in modules:
        import_module(f"dispatch.cli.{module}").register(app)
    _show_flags_plainly(app)
    return app


def _show_flags_plainly(app: typer.Typer) -> None:
    for command in app.registered_commands:
        command.cls = _Command
    for group in app.registered_groups:
        group.cls = _Group
        if group.typer_instance is not None:
            _show_flags_plainly(group.typer_instance)


def _nothing() -> None:
    """With a callback Typer asks for the command's name even where there is only one."""
