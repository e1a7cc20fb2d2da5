"""`dispatch roster pin`, `leave-out`, `left-out`: what a household trusts the desk with."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from dispatch.cases import CaseDesk, LeaveOut
from dispatch.cli.asking import secret
from dispatch.cli.connected import connected
from dispatch.cli.operator import name_here
from dispatch.cli.tables import folded_columns, print_table, whole_column
from dispatch.cli.texts import checked_text
from dispatch.cli.times import date_and_minute
from dispatch.clock import now
from dispatch.errors import Malformed, NotFound
from dispatch.events import CaseLog
from dispatch.identifiers import CommitId, HouseholdId, PersonId
from dispatch.roster import Audit, Audited, Roster, leave_out, let_in

_HOUSEHOLD = Annotated[str, typer.Argument(metavar="HOUSEHOLD", help="The household's id.")]
_PERSON = Annotated[str, typer.Argument(metavar="PERSON", help="The person's id.")]
_BY = Annotated[str | None, typer.Option("--by", help="Who changes the roster; you, if not given.")]
_JSON = Annotated[bool, typer.Option("--json", help="Print for a machine.")]


def register(group: typer.Typer) -> None:
    group.command("pin")(pin)
    group.command("leave-out")(leave_out_command)
    group.command("left-out")(left_out)


def pin(
    household: _HOUSEHOLD,
    clear: Annotated[bool, typer.Option("--clear", help="Take both PINs away.")] = False,
    by: _BY = None,
) -> None:
    """Set the PIN that a household cancels with, and a duress PIN that only seems to cancel; both are asked for twice.

    Where standard input is no terminal, its lines are taken: the PIN twice, then the duress PIN twice or nothing.

    With the duress PIN the alarm looks cancelled at home, and the call widens quietly. A PIN is 4 to 8 digits.

    Examples:

      dispatch roster pin h-0002

      dispatch roster pin h-0002 --clear
    """
    id_ = HouseholdId(household)
    asyncio.run(_require(id_))
    chosen = (None, None) if clear else (_asked("PIN"), _asked("duress PIN (Enter for none)", default="") or None)
    asyncio.run(_set_pins(id_, *chosen, by=name_here(by)))
    typer.echo(f"{household}: " + ("no PIN" if clear else "PIN set" + (", duress PIN set" if chosen[1] else "")))


def leave_out_command(
    household: _HOUSEHOLD,
    person: _PERSON,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept for good, shown to operators alone.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back, from the next case on.")] = False,
    by: _BY = None,
) -> None:
    """Leave somebody out of the calls for a household: never called, shown nothing, also of cases under way.

    They are not told, nor are others; operators see it on the case. An operator can still call them by name.

    Examples:

      dispatch roster leave-out h-0002 p-0003 --reason "violent towards her"

      dispatch roster leave-out h-0002 p-0003 --undo --reason "court order lifted"
    """
    if not undo and not reason.strip():
        raise Malformed("--reason: say why they are left out")
    why, who = checked_text(reason, "reason", empty=undo), name_here(by)
    asyncio.run(_leave_out(HouseholdId(household), PersonId(person), why, who, undo=undo))
    typer.echo(f"{person} is {'called again' if undo else 'left out'} for {household}")


def left_out(
    household: Annotated[
        str | None, typer.Argument(metavar="HOUSEHOLD", help="One household; all if not given.")
    ] = None,
    as_json: _JSON = False,
) -> None:
    """Who was ever left out, by whom, when and why, and who took it back; oldest first, with --json one to a line.

    Examples:

      dispatch roster left-out

      dispatch roster left-out h-0002 --json
    """
    entries = asyncio.run(_trail(HouseholdId(household) if household else None))
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(msgspec.to_builtins(entry), ensure_ascii=False))
        return
    table = Table(
        whole_column("household", [entry.household for entry in entries]),
        whole_column("person", [entry.person for entry in entries]),
        *folded_columns("", "at", "by", "why"),
    )
    for entry in entries:
        at, what = date_and_minute(entry.at), entry.what.replace("_", " ")
        table.add_row(*map(Text, (entry.household, entry.person, what, at, entry.by, entry.reason)))
    print_table(table)


def _asked(what: str, default: str | None = None) -> str:
    name, undone = what.partition(" (")[0], "没有改动 nothing was changed"
    said = secret(what, undone=undone, default=default)
    if said and secret(f"{name} again", undone=undone) != said:
        raise Malformed(f"{name}: the two are not the same; nothing was changed")
    return said


async def _set_pins(household: HouseholdId, chosen: str | None, duress: str | None, *, by: str) -> None:
    from dispatch.roster.pins import hashed  # brings argon2, which other commands would wait for

    with_pins = hashed(chosen, duress)
    async with connected() as (nc, site):
        await Roster(nc, site).update_household(household, with_pins, by)


async def _leave_out(household: HouseholdId, person: PersonId, reason: str, by: str, *, undo: bool) -> None:
    at = now()
    async with connected() as (nc, site):
        roster, audit = Roster(nc, site), Audit(nc, site)
        if undo:
            await let_in(roster, audit, household, person, by=by, at=at, reason=reason)
            return
        await leave_out(roster, audit, household, person, by=by, at=at, reason=reason)
        command = LeaveOut(id=CommitId(secrets.token_hex(16)), at=at, people=(person,), by=by)
        await CaseDesk(CaseLog(nc, site)).leave_out(household, command)


async def _trail(household: HouseholdId | None) -> list[Audited]:
    """Raises `NotFound` for a household that is not in the roster and of which nothing is written either."""
    async with connected() as (nc, site):
        entries = [entry async for entry in Audit(nc, site).read(household)]
        if household is not None and not entries:
            await _known(Roster(nc, site), household)
        return entries


async def _require(household: HouseholdId) -> None:
    """Raises `NotFound` for a household that is not in the roster."""
    async with connected() as (nc, site):
        await _known(Roster(nc, site), household)


async def _known(roster: Roster, household: HouseholdId) -> None:
    if await roster.household(household) is None:
        raise NotFound(
            f"there is no household {household[:80]!r} in the roster; "
            "`dispatch roster list household` shows those there are",
            field="household",
        )
