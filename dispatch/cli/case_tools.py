"""What the commands about one case share: finding it, doing something to it, showing it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from dispatch.cases import Case, CaseDesk, Command
from dispatch.cli import case_screens as screens
from dispatch.cli.connected import connected
from dispatch.errors import Malformed, NotFound
from dispatch.events import CaseLog
from dispatch.identifiers import CaseId, CommitId, Site, household_of
from dispatch.roster import Roster
from dispatch.web.case_view import CaseView
from dispatch.web.directory import Directory
from dispatch.web.views import Viewer, view

AsJson = Annotated[bool, typer.Option("--json", help="Print for a machine.")]
CaseArgument = Annotated[str, typer.Argument(metavar="CASE", help="Its id, as `dispatch case list` shows it.")]
By = Annotated[str | None, typer.Option("--by", help="Who does it; you, if not given.")]


@dataclass(frozen=True)
class Tools:
    nc: Client
    site: Site
    log: CaseLog
    desk: CaseDesk
    roster: Roster


@asynccontextmanager
async def tools() -> AsyncIterator[Tools]:
    async with connected() as (nc, site):
        log = CaseLog(nc, site)
        yield Tools(nc, site, log, CaseDesk(log), Roster(nc, site))


Asked = Callable[[Tools, Case], Awaitable[Command]]
"""What is asked of a case, made when there is a connection and the case is known."""


def at_once(make: Callable[[], Command]) -> Asked:
    """What is asked whatever the case and the roster say."""

    async def asked(_has: Tools, _case: Case) -> Command:
        return make()

    return asked


NOTHING_CHANGED = "没有变化 nothing was changed: it is so already, or there is nobody and nothing that it is about"


def carry_out(case: str, asked: Asked, *, as_json: bool, then: str | None = None) -> None:
    """Do it, and show the case after it; then say what is to come, or that nothing was changed.

    Raises `Malformed`, `NotFound`, and what deciding raises.
    """
    after, changed = asyncio.run(_handled(case_id_of(case), asked))
    say(after, as_json=as_json)
    if words := then if changed else NOTHING_CHANGED:
        typer.echo(words, err=True)


async def _handled(case_id: CaseId, asked: Asked) -> tuple[CaseView, bool]:
    """The case after it, and whether anything was changed."""
    async with tools() as has:
        command = await asked(has, begun(await has.desk.load(case_id), case_id))
        handled = await has.desk.handle(case_id, command)
        return await shown(has, handled.case), bool(handled.events)


def case_id_of(text: str) -> CaseId:
    """`text` as a case's id, also when typed in small letters. Raises `Malformed`, saying what one looks like."""
    try:
        household_of(CaseId(text))
    except Malformed as error:
        raise Malformed(
            f"{error.detail}: one is the household and eight letters or digits, like h-0002-7K3M9QXZ; "
            "`dispatch case list --status all` shows those there are",
            field="case",
        ) from None
    household, dash, tail = text.rpartition("-")
    return CaseId(f"{household}{dash}{tail.upper()}")


def begun(case: Case, case_id: CaseId) -> Case:
    """`case`, where there is one. Raises `NotFound`."""
    if case.raised is None:
        raise NotFound(f"there is no case {case_id!r}; `dispatch case list --status all` shows those there are")
    return case


def new_id() -> CommitId:
    return CommitId(secrets.token_hex(16))


async def shown(has: Tools, case: Case) -> CaseView:
    return view(case, await Directory(has.roster).names_for([case]), Viewer("operator", "cli"))


def say(shown: CaseView, *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        Console().print(screens.case(shown))


def print_json(value: object) -> None:
    typer.echo(msgspec.json.encode(value))
