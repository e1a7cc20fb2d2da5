"""`dispatch roster reachability`: how well each group can be reached, and whom it cannot count on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from dispatch.cli.connected import connected
from dispatch.cli.tables import folded_columns, print_table, whole_column
from dispatch.clock import now
from dispatch.drills.planning import groups_within
from dispatch.errors import NotFound
from dispatch.identifiers import AreaId
from dispatch.projections import ReadModels
from dispatch.roster import PROOF_DAYS, GroupReach, Reachable, Roster, bound, reach_of
from dispatch.settings import load_settings
from dispatch.web.drill_views import reach_view

STANDINGS = {
    "proven": "可达，但有联系方式已失效 reachable, with a contact point that expired",
    "unproven": f"{PROOF_DAYS}天内未证实 not proven within {PROOF_DAYS} days",
    "retired": "联系方式全部失效 every contact point expired",
    "none": "没有推送、短信等联系方式（仅有电话号码或打开的页面不算） "
    "no push, text message or other contact point (a telephone number alone or an open page is not counted)",
    "missing": "不在名册中 not in the roster",
}


def reachability(
    area: Annotated[str | None, typer.Option(help="Only groups of this area and below it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a machine; one to a line.")] = False,
) -> None:
    """Show how well each group can be reached, the worst first, and whom it cannot count on.

    The score is the share of the bound people who have a contact point that works and were reached within 30 days: a
    phone said that it rang, or they answered, in an alarm or a drill. What a provider took without a receipt
    proves nothing. This asks Postgres.

    Examples:

      dispatch roster reachability

      dispatch roster reachability --area maozhou --json
    """
    found = asyncio.run(_read(AreaId(area) if area else None))
    if as_json:
        for reach in found:
            typer.echo(msgspec.json.encode(reach_view(reach)))
        return
    columns = folded_columns("组 name", "可达 reachable", "不可达 gaps")
    table = Table(whole_column("id", [reach.group.id for reach in found]), *columns)
    for reach in found:
        share = f"{reach.proven}/{len(reach.people)} {reach.score:.0%}"
        table.add_row(*map(Text, (reach.group.id, reach.group.name, share, "\n".join(_gaps(reach)))))
    print_table(table)


def _gaps(reach: GroupReach) -> Iterator[str]:
    """Whom a group cannot count on: each reason once, with everybody of whom it is true."""
    gaps = [one for one in reach.people if one.standing != "proven" or one.retired]
    for standing, words in STANDINGS.items():
        if people := [_named(one) for one in gaps if one.standing == standing]:
            yield f"{words}: {', '.join(people)}"


def _named(one: Reachable) -> str:
    expired = f" ({'; '.join(one.retired)})" if one.retired else ""
    return f"{one.name} {one.person}{expired}".strip()


async def _read(area: AreaId | None) -> list[GroupReach]:
    settings = load_settings()
    async with connected() as (nc, site):
        roster = Roster(nc, site)
        if area is not None and not await roster.areas([area]):
            raise NotFound(f"there is no area {area[:80]!r}; `dispatch roster list area` shows those there are")
        groups = await groups_within(roster, area)
        ids = {person for group in groups for person in bound(group)}
        models = ReadModels(settings.require_postgres(), settings.site)
        try:
            people, proofs = await asyncio.gather(roster.people(ids), models.proofs(ids))
        finally:
            await models.close()
    at = now()
    return sorted((reach_of(group, people, proofs, at) for group in groups), key=lambda reach: reach.score)
