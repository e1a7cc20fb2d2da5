"""`dispatch case …`: the board, one case, and what an operator does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from dispatch.cases import AddNote, Cancel, Resolve, fold
from dispatch.cli import case_deeds, timeline_screen
from dispatch.cli import case_screens as screens
from dispatch.cli.case_tools import (
    AsJson,
    By,
    CaseArgument,
    at_once,
    begun,
    carry_out,
    case_id_of,
    new_id,
    print_json,
    say,
    shown,
    tools,
)
from dispatch.cli.operator import operator_here
from dispatch.cli.tables import print_table
from dispatch.cli.texts import checked_text
from dispatch.clock import now
from dispatch.errors import Malformed, NotFound
from dispatch.events import Kind, Resolution
from dispatch.identifiers import AreaId, CaseId
from dispatch.projections import Change, ReadModels
from dispatch.projections.models.timeline import TimelineRow, rows
from dispatch.projections.queries import LARGEST_PAGE, Status
from dispatch.settings import load_settings
from dispatch.web.case_view import CaseView
from dispatch.web.directory import Directory
from dispatch.web.names import Names

EXAMPLES = """
Cases: the board, one case, and all that is done to one at the desk / 警情.

Examples:

  dispatch case list                          the open cases, newest first

  dispatch case show h-0002-7K3M9QXZ          who was called, what came of it, who comes

  dispatch case timeline h-0002-7K3M9QXZ      all that happened, in order

  dispatch case pause h-0002-7K3M9QXZ         for five minutes; `resume` takes it back

  dispatch case widen h-0002-7K3M9QXZ         more people are called at once

  dispatch case call h-0002-7K3M9QXZ p-0003   one more person is called

  dispatch case resolve h-0002-7K3M9QXZ --text "已送医"
"""


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_command)
    group.command("show")(show)
    group.command("timeline")(timeline)
    group.command("note")(note)
    case_deeds.register(group)
    group.command("resolve")(resolve)
    group.command("cancel")(cancel)
    app.add_typer(group, name="case", help=EXAMPLES)


def list_command(  # noqa: PLR0917 - Typer calls it by name
    status: Annotated[Status, typer.Option(help="Only cases that are in this state.")] = "open",
    area: Annotated[str | None, typer.Option(help="Only cases in this area and below it.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only cases of this kind.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=LARGEST_PAGE)] = 50,
    before: Annotated[str | None, typer.Option(help="The page behind this case; `next` of the page before.")] = None,
    as_json: AsJson = False,
) -> None:
    """List cases from the board, newest first. This asks Postgres; `case show` does not need it.

    Examples:

      dispatch case list

      dispatch case list --status closed --area maozhou --limit 20

      dispatch case list --status all --kind fire --json
    """
    found, following, names = asyncio.run(_list(status, AreaId(area) if area else None, kind, limit, before))
    if as_json:
        print_json({"cases": found, "next": following})
        return
    print_table(screens.board(found, names))
    if following is not None:
        typer.echo(f"还有更多 more: --before {following}")


def show(case: CaseArgument, as_json: AsJson = False) -> None:
    """Show one case as the log has it now: who was called, what came of it, who comes.

    Examples:

      dispatch case show h-0002-7K3M9QXZ

      dispatch case show h-0002-7K3M9QXZ --json
    """
    say(asyncio.run(_view(case_id_of(case))), as_json=as_json)


def timeline(case: CaseArgument, as_json: AsJson = False) -> None:
    """Show everything that happened on a case, from the log, oldest first.

    Examples:

      dispatch case timeline h-0002-7K3M9QXZ

      dispatch case timeline h-0002-7K3M9QXZ --json
    """
    entries, names = asyncio.run(_timeline(case_id_of(case)))
    if as_json:
        print_json({"entries": entries})
        return
    Console().print(timeline_screen.timeline(entries, names))


def note(
    case: CaseArgument,
    words: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="What is to be written down.")] = None,
    text: Annotated[str | None, typer.Option(help="The same, for those who write it as `resolve` has it.")] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Write a note on a case, also when it is over.

    Examples:

      dispatch case note h-0002-7K3M9QXZ "家属已联系上 the family was reached"

      dispatch case note h-0002-7K3M9QXZ --text "门锁着"
    """
    given = [one for one in (words, text) if one is not None]
    if len(given) != 1:
        raise Malformed("write the note once: either behind the case or with --text", field="text")
    author, wanted = operator_here(by), checked_text(given[0], "text")
    carry_out(case, at_once(lambda: AddNote(id=new_id(), at=now(), author=author, text=wanted)), as_json=as_json)


def resolve(
    case: CaseArgument,
    resolution: Annotated[Resolution, typer.Option(help="How it ended.")] = "helped",
    text: Annotated[str, typer.Option(help="What there is to say about it.")] = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Close a case: it is over. Exit code 1 when it was closed before.

    Examples:

      dispatch case resolve h-0002-7K3M9QXZ

      dispatch case resolve h-0002-7K3M9QXZ --resolution handed_over --text "已移交110"
    """
    author, said = operator_here(by), checked_text(text, "text", empty=True)
    closed = at_once(lambda: Resolve(id=new_id(), at=now(), by=author, resolution=resolution, text=said))
    carry_out(case, closed, as_json=as_json)


def cancel(
    case: CaseArgument,
    reason: Annotated[str, typer.Option(help="Why it is called off.")] = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Call an alarm off. The record stays. Exit code 1 when the case was closed before.

    Examples:

      dispatch case cancel h-0002-7K3M9QXZ --reason "误按 pressed by mistake"
    """
    author, said = operator_here(by), checked_text(reason, "reason", empty=True)
    carry_out(case, at_once(lambda: Cancel(id=new_id(), at=now(), by=author, reason=said)), as_json=as_json)


async def _list(
    status: Status, area: AreaId | None, kind: str | None, limit: int, before: str | None
) -> tuple[Sequence[Mapping[str, Any]], str | None, Names]:
    settings = load_settings()
    async with tools() as has:
        if area is not None and await has.roster.entry("area", area) is None:
            raise NotFound(
                f"there is no area {area[:80]!r} in the roster; `dispatch roster list area` shows those there are",
                field="area",
            )
        models = ReadModels(settings.require_postgres(), settings.site)
        try:
            found, following = await models.list_cases(status=status, area=area, kind=kind, limit=limit, before=before)
        finally:
            await models.close()
        households, areas = await asyncio.gather(
            has.roster.households({row["household"] for row in found}),
            has.roster.areas({row["areas"][0] for row in found if row["areas"]}),
        )
        return found, following, Names(households=households, areas=areas)


async def _view(case_id: CaseId) -> CaseView:
    async with tools() as has:
        return await shown(has, begun(await has.desk.load(case_id), case_id))


async def _timeline(case_id: CaseId) -> tuple[list[TimelineRow], Names]:
    async with tools() as has:
        commits = await has.log.load(case_id)
        case = begun(fold(commits), case_id)
        entries = rows(Change(site=has.site, case=case, commits=tuple(commits)))
        return entries, await Directory(has.roster).names_for([case])
