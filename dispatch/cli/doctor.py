"""`dispatch doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatch.cli.checks import Finding, examine
from dispatch.cli.tables import folded_columns
from dispatch.settings import load_settings

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print for a machine.")] = False) -> None:
    """Check this installation: servers, streams, schema, roles. Exit code 1 when something fails.

    Examples:

      dispatch doctor

      dispatch doctor --json
    """
    findings = asyncio.run(examine(load_settings()))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        Console().print(_table(findings))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _table(findings: list[Finding]) -> Table:
    table = Table(*folded_columns("", "What", "Found", "What to do"), title="dispatch doctor")
    for finding in findings:
        state = Text(finding.state, style=COLOURS[finding.state])
        table.add_row(state, *map(Text, (finding.what, finding.found, finding.advice)))
    return table
