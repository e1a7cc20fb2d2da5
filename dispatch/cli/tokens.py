"""`dispatch token …`: who may sign in."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from dispatch.access import Issued, Principal, TokenInfo, TokenRole, Tokens
from dispatch.cli.connected import connected
from dispatch.cli.tables import folded_columns, print_table, whole_column
from dispatch.cli.times import date_and_minute
from dispatch.clock import now
from dispatch.errors import NotFound
from dispatch.identifiers import AreaId
from dispatch.roster import DocumentKind, Roster
from dispatch.settings import load_settings

EXAMPLES = """
Who may sign in, as what / 令牌.

Examples:

  dispatch token new device h-0002            for a household's key; prints a sign-in link

  dispatch token new operator desk-1          for a desk that sees the whole site

  dispatch token list                         whose tokens work

  dispatch token revoke 3fa9c1d20b7e          the one of that id works no more
"""
_JSON = Annotated[bool, typer.Option("--json", help="Print for a machine.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True)
    group.command("new")(new)
    group.command("list")(list_command)
    group.command("revoke")(revoke)
    app.add_typer(group, name="token", help=EXAMPLES)


def new(  # noqa: PLR0917 - Typer calls it by name
    role: Annotated[TokenRole, typer.Argument(help="Whose it is.")],
    subject: Annotated[str, typer.Argument(help="A household's id, a person's id, or an operator's name.")],
    label: Annotated[str, typer.Option(help="What it is for; shown in `dispatch token list`.")] = "",
    area: Annotated[str | None, typer.Option(help="An operator's area; without it the whole site.")] = None,
    days: Annotated[
        int | None, typer.Option(help="Ends after so many days; without it, when revoked.", min=1, max=3650)
    ] = None,
    force: Annotated[bool, typer.Option(help="Make it even for somebody who is not in the roster yet.")] = False,
    as_json: _JSON = False,
) -> None:
    """Make a token. It is shown this once and kept nowhere: only its hash is.

    Examples:

      dispatch token new device h-0002 --label "按钮 茅州村段家"

      dispatch token new operator desk-1 --area mouding --days 365

      dispatch token new monitor prometheus --json
    """
    issued = asyncio.run(_new(role, subject, label, area, days, force=force))
    link = f"{load_settings().url}/in#{issued.secret}"
    if as_json:
        typer.echo(json.dumps({"token": issued.secret, "token_id": issued.token_id, "link": link}))
        return
    typer.echo(f"token    {issued.secret}\nid       {issued.token_id}\nsign in  {link}")
    typer.echo("Keep it now: it is not shown again.", err=True)


def list_command(as_json: _JSON = False) -> None:
    """List the tokens that were not revoked, oldest first; with --json one to a line.

    Examples:

      dispatch token list

      dispatch token list --json
    """
    infos = asyncio.run(_list())
    if as_json:
        for info in infos:
            typer.echo(msgspec.json.encode(info))
        return
    whose = [info.principal for info in infos]
    table = Table(
        whole_column("id", [who.token_id for who in whose]),
        whole_column("role", [who.role for who in whose]),
        whole_column("subject", [who.subject for who in whose]),
        *folded_columns("area", "label", "made", "ends"),
    )
    for info in infos:
        who, ends = info.principal, info.expires_at
        made, ended = date_and_minute(info.issued_at), date_and_minute(ends) if ends else "–"
        table.add_row(*map(Text, (who.token_id, who.role, who.subject, who.area or "–", who.label, made, ended)))
    print_table(table)


def revoke(
    token_id: Annotated[str, typer.Argument(help="As `dispatch token list` shows it.")], as_json: _JSON = False
) -> None:
    """End a token at once.

    Examples:

      dispatch token revoke 3fa9c1d20b7e
    """
    principal = asyncio.run(_revoke(token_id))
    if as_json:
        typer.echo(msgspec.json.encode(principal))
    else:
        typer.echo(f"revoked: {principal.role} {principal.subject} {principal.label}".rstrip())


async def _new(role: TokenRole, subject: str, label: str, area: str | None, days: int | None, *, force: bool) -> Issued:
    expires_at = now() + timedelta(days=days) if days is not None else None
    async with connected() as (nc, site):
        if not force:
            await _require_known(Roster(nc, site), role, subject, area)
        return await Tokens(nc, site).issue(
            role,
            subject,
            label=label,
            area=AreaId(area) if area is not None else None,
            expires_at=expires_at,
        )


async def _require_known(roster: Roster, role: TokenRole, subject: str, area: str | None) -> None:
    """A phone that says "ready" and reaches nobody is worse than none. Raises `NotFound`."""
    kind: DocumentKind | None = {"device": "household", "responder": "person"}.get(role)  # type: ignore[assignment]
    wanted: list[tuple[DocumentKind, str]] = [(kind, subject)] if kind else []
    wanted += [("area", area)] if area is not None else []
    for what, name in wanted:
        if await roster.entry(what, name) is None:
            raise NotFound(
                f"there is no {what} {name!r} in the roster: see `dispatch roster list {what}`, "
                "import it first, or give --force",
                field=what,
            )


async def _list() -> list[TokenInfo]:
    async with connected() as (nc, site):
        return await Tokens(nc, site).list()


async def _revoke(token_id: str) -> Principal:
    async with connected() as (nc, site):
        return await Tokens(nc, site).revoke(token_id)
