"""`dispatch roster …`: import, look, list."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatch.cli import confidence, policies
from dispatch.cli.connected import connected
from dispatch.cli.operator import name_here
from dispatch.cli.problems import counted, show_problems
from dispatch.cli.progress import HowFar, bars
from dispatch.cli.reachability import reachability
from dispatch.cli.stopped import stopped
from dispatch.cli.tables import folded_columns, print_table, whole_column
from dispatch.errors import NotFound
from dispatch.roster import Document, DocumentKind, Roster

if TYPE_CHECKING:
    from dispatch.roster.imports import Report

EXAMPLES = """
Who is called: import it, look at it / 名册.

Examples:

  dispatch roster import 名册.xlsx --dry-run   what is wrong, and what would change

  dispatch roster import 名册.xlsx             the same, written

  dispatch roster list person                  everybody

  dispatch roster show household h-0002        one household, and who changed it last

  dispatch roster policy maozhou               how a call widens there

  dispatch roster reachability --area maozhou  how well its groups can be reached

  dispatch roster pin h-0002                   the PIN with which a household cancels, and its duress PIN

  dispatch roster leave-out h-0002 p-0003 --reason …   somebody who is never to be called for it
"""
_JSON = Annotated[bool, typer.Option("--json", help="Print for a machine.")]
_KIND = Annotated[DocumentKind, typer.Argument(help="What it is.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True)
    group.command("import")(import_command)
    group.command("show")(show)
    group.command("list")(list_command)
    group.command("reachability")(reachability)
    policies.register(group)
    confidence.register(group)
    app.add_typer(group, name="roster", help=EXAMPLES)


def import_command(
    files: Annotated[list[Path], typer.Argument(help="CSV (UTF-8 or GB18030) or XLSX files, imported as one.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, say what would change, write nothing.")] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Import good rows even when others are wrong (exit code 1).")
    ] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who changes the roster; you, if not given.")] = None,
    as_json: _JSON = False,
) -> None:
    """Import areas, people, groups, households, posts and duty; each sheet is known by its header row.

    All rows are checked first. Nothing is written when one is wrong, unless --partial. A second
    run of the same files changes nothing. The columns are described in docs/roster.md.

    Examples:

      dispatch roster import areas.csv people.csv groups.csv households.csv posts.csv duty.csv

      dispatch roster import 名册.xlsx --dry-run

      dispatch roster import people.csv --partial --by 王芳 --json
    """
    far, who = HowFar(dry_run=dry_run), name_here(by)
    with stopped(lambda: far.left("documents")):
        report = uvloop.run(_import(files, far, dry_run=dry_run, partial=partial, by=who, quiet=as_json))
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(report) | {"dry_run": dry_run}, ensure_ascii=False))
    else:
        _tell(report, dry_run=dry_run)
    if report.problems:
        raise typer.Exit(1)


def show(
    kind: _KIND, document_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.")], as_json: _JSON = False
) -> None:
    """Show one document, with its revision and who wrote it when. Secrets and push keys are left out.

    Examples:

      dispatch roster show household h-0002

      dispatch roster show person p-0001 --json
    """
    found = asyncio.run(_show(kind, document_id))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table(*folded_columns("", ""), show_header=False)
    for name, value in found.items():
        table.add_row(name, Text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    Console().print(table)


def list_command(kind: _KIND, as_json: _JSON = False) -> None:
    """List every document of a kind, by id; with --json one to a line.

    Examples:

      dispatch roster list household

      dispatch roster list person --json
    """
    documents = asyncio.run(_list(kind))
    if as_json:
        for document in documents:
            typer.echo(json.dumps(_shown(document), ensure_ascii=False))
        return
    columns = folded_columns("名称 name", "其余 the rest")
    table = Table(whole_column("id", [document.id for document in documents]), *columns)
    for document in documents:
        rest = {name: value for name, value in _shown(document).items() if name not in {"id", "name"}}
        lines = "\n".join(f"{name}: {_in_words(value)}" for name, value in rest.items())
        table.add_row(*map(Text, (document.id, document.name, lines)))
    print_table(table)


async def _import(files: list[Path], far: HowFar, *, dry_run: bool, partial: bool, by: str, quiet: bool) -> Report:
    from dispatch.roster.imports import import_files  # brings openpyxl, which other commands would wait for

    async with connected() as (nc, site):
        with bars(quiet=quiet, also=far) as told:
            return await import_files(Roster(nc, site), files, by=by, dry_run=dry_run, partial=partial, progress=told)


async def _show(kind: DocumentKind, document_id: str) -> dict[str, object]:
    async with connected() as (nc, site):
        entry = await Roster(nc, site).entry(kind, document_id)
    if entry is None:
        raise NotFound(f"there is no {kind} {document_id[:80]!r}; `dispatch roster list {kind}` shows those there are")
    return _shown(entry.document) | {"revision": entry.revision, "by": entry.by, "at": entry.at.isoformat()}


async def _list(kind: DocumentKind) -> list[Document]:
    async with connected() as (nc, site):
        documents = [document async for document in Roster(nc, site).all(kind)]
    return sorted(documents, key=lambda document: document.id)


def _in_words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(document: Document) -> dict[str, object]:
    """A document as it may stand on a screen."""
    plain: dict[str, object] = msgspec.to_builtins(document)
    points = plain.get("contact_points")
    if isinstance(points, list | tuple):
        hidden = {"secret", "p256dh", "auth"}
        plain["contact_points"] = [
            {k: v for k, v in point.items() if k not in hidden | ({"url"} if point["kind"] == "apprise" else set())}
            for point in points
        ]
    plain |= {name: "set" for name in ("pin", "duress_pin") if name in plain}
    return plain


def _tell(report: Report, *, dry_run: bool) -> None:
    console = Console(stderr=True)
    show_problems(console, report.problems)
    if report.held_back:
        console.print(f"{counted(len(report.held_back), 'reference')} to rows that are wrong: the rows wait for them")
    written = report.written
    if written is None:
        console.print(
            f"Nothing was written: {counted(len(report.problems), 'problem')} in these files. "
            "Correct what is wrong and run it again."
        )
        return
    would = "would be " if dry_run else ""
    told = f"{written.created} {would}created, {written.changed} {would}changed, {written.unchanged} as they were"
    typer.echo(told + (f", {counted(report.left_out, 'row')} left out." if report.left_out else "."))
