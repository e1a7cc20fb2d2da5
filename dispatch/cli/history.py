"""`dispatch history …`: past calls of an older system."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.text import Text

from dispatch.cli.connected import connected
from dispatch.cli.problems import counted, show_problems
from dispatch.cli.progress import HowFar, bars
from dispatch.cli.stopped import stopped
from dispatch.cli.tables import visible
from dispatch.events import CaseLog
from dispatch.history import Report, import_history
from dispatch.roster import Roster
from dispatch.roster.imports.problems import Problem

EXAMPLES = """
The past: calls of an older system / 历史警情.

Examples:

  dispatch history import calls.csv --timezone Asia/Shanghai --dry-run   what is wrong

  dispatch history import calls.csv --timezone Asia/Shanghai             the same, written
"""

_SHOWN = 5
"""Warnings that are shown in full; --json has all."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, callback=_nothing)
    group.command("import")(import_command)
    app.add_typer(group, name="history", help=EXAMPLES)


def _nothing() -> None:
    """With a callback Typer asks for the command's name even where there is only one."""


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise typer.BadParameter(f"{name!r} is no time zone; use a name like Asia/Shanghai") from None


def import_command(
    file: Annotated[Path, typer.Argument(help="A CSV (UTF-8 or GB18030) or XLSX file.")],
    timezone: Annotated[
        str | None, typer.Option("--timezone", help="The zone of times that do not say theirs, like Asia/Shanghai.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count, write nothing.")] = False,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Import calls whose rows are good even when others are wrong (exit code 1)."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a machine.")] = False,
) -> None:
    """Import past calls into the log, as events with their own times, marked as imported. Nobody is called.

    Columns: call_id, kind, area, raised_at, responder_id, called_at, en_route_at, on_scene_at, cleared_at; one row for
    each responder on a call. Times may be empty. kind is help, intrusion, medical or fire; the areas must be in the
    roster. All rows are checked first; a step that is before an earlier one is said and taken as it is. To run it again
    is safe: what is there stays as it is, what is missing goes in.

    Examples:

      dispatch history import calls.csv --timezone Asia/Shanghai --dry-run

      dispatch history import calls.xlsx --partial --json
    """
    zone = _zone(timezone) if timezone else None
    far = HowFar(dry_run=dry_run)
    with stopped(lambda: far.left("calls")):
        report = uvloop.run(_import(file, zone, far, dry_run=dry_run, partial=partial, quiet=as_json))
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(report) | {"dry_run": dry_run}, ensure_ascii=False))
    else:
        _tell(report, dry_run=dry_run)
    _warn(report.backwards)
    if report.problems:
        raise typer.Exit(1)


async def _import(file: Path, zone: tzinfo | None, far: HowFar, *, dry_run: bool, partial: bool, quiet: bool) -> Report:
    with bars(quiet=quiet, also=far) as told:
        async with connected() as (nc, site):
            log, roster = CaseLog(nc, site), Roster(nc, site)
            return await import_history(log, roster, file, zone=zone, dry_run=dry_run, partial=partial, progress=told)


def _warn(backwards: Sequence[Problem]) -> None:
    console = Console(stderr=True, style="yellow")
    for one in backwards[:_SHOWN]:
        console.print(Text(str(one)), soft_wrap=True)
    if backwards:
        rows = counted(len(backwards), "row")
        words = f"{rows} in which a later step is before an earlier one; they count as 时间倒退, see docs/LATENCY.md"
        console.print(Text(words), soft_wrap=True)


def _tell(report: Report, *, dry_run: bool) -> None:
    console = Console(stderr=True)
    show_problems(console, report.problems)
    if report.unused:
        console.print(Text(visible(f"columns passed over: {', '.join(report.unused)}")), soft_wrap=True)
    if report.written is None:
        problems = counted(len(report.problems), "problem")
        otherwise = ", or use --partial" if report.calls else ""
        console.print(Text(f"Nothing was written: {problems}. Correct what is wrong{otherwise}."), soft_wrap=True)
        return
    written = f"{report.written} calls {'can be' if dry_run else 'were'} imported"
    typer.echo(f"{report.rows} rows read; {written}" + (f", {report.unchanged} as they were." if not dry_run else "."))
