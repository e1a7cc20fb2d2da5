"""`dispatch case …`: the board, one case, and what an operator does to it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from dispatch.cases import AddNote, Cancel, Case, CaseDesk, Command, Resolve, fold
from dispatch.cli import case_screens as screens
from dispatch.cli import timeline_screen
from dispatch.cli.connected import connected
from dispatch.cli.operator import operator_here
from dispatch.cli.tables import print_table
from dispatch.clock import now
from dispatch.errors import Malformed, NotFound
from dispatch.events import CaseLog, Kind, Resolution
from dispatch.identifiers import AreaId, CaseId, CommitId, Site, household_of
from dispatch.projections import Change, ReadModels
from dispatch.projections.models.timeline import TimelineRow, rows
from dispatch.projections.queries import LARGEST_PAGE, Status
from dispatch.roster import Roster
from dispatch.settings import load_settings
from dispatch.web.case_view import CaseView
from dispatch.web.directory import Directory
from dispatch.web.names import Names
from dispatch.web.views import Viewer, view

EXAMPLES = """
Cases: the board, one case, closing it / 警情.

Examples:

  dispatch case list                          the open cases, newest first

  dispatch case show h-0002-7K3M9QXZ          who was called, what came of it, who comes

  dispatch case timeline h-0002-7K3M9QXZ      all that happened, in order

  dispatch case resolve h-0002-7K3M9QXZ --text "已送医"
"""
LONGEST_TEXT = 2000

_JSON = Annotated[bool, typer.Option("--json", help="Print for a machine.")]
_CASE = Annotated[str, typer.Argument(metavar="CASE", help="Its id, as `dispatch case list` shows it.")]
_BY = Annotated[str | None, typer.Option("--by", help="Who does it; you, if not given.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_command)
    group.command("show")(show)
    group.command("timeline")(timeline)
    group.command("note")(note)
    group.command("resolve")(resolve)
    group.command("cancel")(cancel)
    app.add_typer(group, name="case", help=EXAMPLES)


def list_command(  # noqa: PLR0917 - Typer calls it by name
    status: Annotated[Status, typer.Option(help="Only cases that are in this state.")] = "open",
    area: Annotated[str | None, typer.Option(help="Only cases in this area and below it.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only cases of this kind.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=LARGEST_PAGE)] = 50,
    before: Annotated[str | None, typer.Option(help="The page behind this case; `next` of the page before.")] = None,
    as_json: _JSON = False,
) -> None:
    """List cases from the board, newest first. This asks Postgres; `case show` does not need it.

    Examples:

      dispatch case list

      dispatch case list --status closed --area maozhou --limit 20

      dispatch case list --status all --kind fire --json
    """
    found, following, names = asyncio.run(_list(status, AreaId(area) if area else None, kind, limit, before))
    if as_json:
        _print({"cases": found, "next": following})
        return
    print_table(screens.board(found, names))
    if following is not None:
        typer.echo(f"还有更多 more: --before {following}")


def show(case: _CASE, as_json: _JSON = False) -> None:
    """Show one case as the log has it now: who was called, what came of it, who comes.

    Examples:

      dispatch case show h-0002-7K3M9QXZ

      dispatch case show h-0002-7K3M9QXZ --json
    """
    _say(asyncio.run(_view(_case_id(case))), as_json=as_json)


def timeline(case: _CASE, as_json: _JSON = False) -> None:
    """Show everything that happened on a case, from the log, oldest first.

    Examples:

      dispatch case timeline h-0002-7K3M9QXZ

      dispatch case timeline h-0002-7K3M9QXZ --json
    """
    entries, names = asyncio.run(_timeline(_case_id(case)))
    if as_json:
        _print({"entries": entries})
        return
    Console().print(timeline_screen.timeline(entries, names))


def note(
    case: _CASE,
    words: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="What is to be written down.")] = None,
    text: Annotated[str | None, typer.Option(help="The same, for those who write it as `resolve` has it.")] = None,
    by: _BY = None,
    as_json: _JSON = False,
) -> None:
    """Write a note on a case, also when it is over.

    Examples:

      dispatch case note h-0002-7K3M9QXZ "家属已联系上 the family was reached"

      dispatch case note h-0002-7K3M9QXZ --text "门锁着"
    """
    given = [one for one in (words, text) if one is not None]
    if len(given) != 1:
        raise Malformed("write the note once: either behind the case or with --text", field="text")
    command = AddNote(id=_new_id(), at=now(), author=operator_here(by), text=_checked(given[0], "text"))
    _say(asyncio.run(_handle(_case_id(case), command)), as_json=as_json)


def resolve(
    case: _CASE,
    resolution: Annotated[Resolution, typer.Option(help="How it ended.")] = "helped",
    text: Annotated[str, typer.Option(help="What there is to say about it.")] = "",
    by: _BY = None,
    as_json: _JSON = False,
) -> None:
    """Close a case: it is over. Exit code 1 when it was closed before.

    Examples:

      dispatch case resolve h-0002-7K3M9QXZ

      dispatch case resolve h-0002-7K3M9QXZ --resolution handed_over --text "已移交110"
    """
    command = Resolve(
        id=_new_id(), at=now(), by=operator_here(by), resolution=resolution, text=_checked(text, "text", empty=True)
    )
    _say(asyncio.run(_handle(_case_id(case), command)), as_json=as_json)


def cancel(
    case: _CASE,
    reason: Annotated[str, typer.Option(help="Why it is called off.")] = "",
    by: _BY = None,
    as_json: _JSON = False,
) -> None:
    """Call an alarm off. The record stays. Exit code 1 when the case was closed before.

    Examples:

      dispatch case cancel h-0002-7K3M9QXZ --reason "误按 pressed by mistake"
    """
    command = Cancel(id=_new_id(), at=now(), by=operator_here(by), reason=_checked(reason, "reason", empty=True))
    _say(asyncio.run(_handle(_case_id(case), command)), as_json=as_json)


@dataclass(frozen=True)
class _Tools:
    nc: Client
    site: Site
    log: CaseLog
    desk: CaseDesk
    roster: Roster


@asynccontextmanager
async def _tools() -> AsyncIterator[_Tools]:
    async with connected() as (nc, site):
        log = CaseLog(nc, site)
        yield _Tools(nc, site, log, CaseDesk(log), Roster(nc, site))


async def _list(
    status: Status, area: AreaId | None, kind: str | None, limit: int, before: str | None
) -> tuple[Sequence[Mapping[str, Any]], str | None, Names]:
    settings = load_settings()
    async with _tools() as tools:
        if area is not None and await tools.roster.entry("area", area) is None:
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
            tools.roster.households({row["household"] for row in found}),
            tools.roster.areas({row["areas"][0] for row in found if row["areas"]}),
        )
        return found, following, Names(households=households, areas=areas)


async def _view(case_id: CaseId) -> CaseView:
    async with _tools() as tools:
        return await _shown(tools, await _found(tools, case_id))


async def _timeline(case_id: CaseId) -> tuple[list[TimelineRow], Names]:
    async with _tools() as tools:
        commits = await tools.log.load(case_id)
        case = _begun(fold(commits), case_id)
        entries = rows(Change(site=tools.site, case=case, commits=tuple(commits)))
        return entries, await Directory(tools.roster).names_for([case])


async def _handle(case_id: CaseId, command: Command) -> CaseView:
    async with _tools() as tools:
        await _found(tools, case_id)
        return await _shown(tools, (await tools.desk.handle(case_id, command)).case)


async def _found(tools: _Tools, case_id: CaseId) -> Case:
    return _begun(await tools.desk.load(case_id), case_id)


def _case_id(text: str) -> CaseId:
    """`text` as a case's id. Raises `Malformed`, saying what one looks like, when it can be none."""
    try:
        household_of(CaseId(text))
    except Malformed as error:
        raise Malformed(
            f"{error.detail}: one is the household and eight letters or digits, like h-0002-7K3M9QXZ; "
            "`dispatch case list --status all` shows those there are",
            field="case",
        ) from None
    return CaseId(text)


def _begun(case: Case, case_id: CaseId) -> Case:
    if case.raised is None:
        raise NotFound(f"there is no case {case_id!r}; `dispatch case list --status all` shows those there are")
    return case


async def _shown(tools: _Tools, case: Case) -> CaseView:
    return view(case, await Directory(tools.roster).names_for([case]), Viewer("operator", "cli"))


def _checked(text: str, field: str, *, empty: bool = False) -> str:
    printable = all(character.isprintable() or character in "\n\t" for character in text)
    if len(text) > LONGEST_TEXT or not printable or not (text.strip() or empty):
        raise Malformed(f"{field} of {len(text)} characters: use 1 to {LONGEST_TEXT} that can be printed", field=field)
    return text


def _new_id() -> CommitId:
    return CommitId(secrets.token_hex(16))


def _say(shown: CaseView, *, as_json: bool) -> None:
    if as_json:
        _print(shown)
    else:
        Console().print(screens.case(shown))


def _print(value: object) -> None:
    typer.echo(msgspec.json.encode(value))
