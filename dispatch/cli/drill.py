"""`dispatch drill …`: ring chosen groups as an alarm does, marked as a drill, and report who was reached."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatch.cases import CaseDesk
from dispatch.cli.asking import sure
from dispatch.cli.connected import connected
from dispatch.cli.files import write_file
from dispatch.cli.operator import operator_here
from dispatch.cli.tables import folded_columns, print_table, whole_column
from dispatch.cli.times import date_and_time, time_of_day
from dispatch.clock import now
from dispatch.drills import (
    Choice,
    Drill,
    DrillBook,
    DrillPlan,
    Line,
    Pressed,
    Report,
    drill_id,
    names_in,
    plan_drill,
    press_the_rest,
    read_report,
    sheet,
    start_drill,
)
from dispatch.drills.starting import LEAST_MINUTES, MINUTES, MOST_MINUTES
from dispatch.errors import Conflict
from dispatch.events import CaseLog, Gap, Kind
from dispatch.identifiers import AreaId, GroupId, HouseholdId
from dispatch.intake import IntakeDesk
from dispatch.roster import Roster
from dispatch.web.drill_views import drill_view, plan_view, report_view

EXAMPLES = """
Drills: ring chosen groups as an alarm does, and report who was reached / 演练.

One household of each group presses, marked as a drill on every screen and left out of every statistic. The group and
its officers are rung, and once more while they do not answer; neighbouring groups and villages, the station, the
command centre and 110 only with --escalate. It is shown and asked before anybody is rung. A household with an open
case takes no part, a real press ends the drill of its household, and after --minutes the drill ends by itself.
One that was stopped while it was being begun is gone on with by `dispatch drill resume`: everybody is pressed for once.

Examples:

  dispatch drill --group g-01 --group g-02 --kind fire    two groups

  dispatch drill --area maozhou --minutes 15              every group of an area

  dispatch drill --household h-0002 --yes                 one household, without being asked

  dispatch drill report d-k3m9qxza --csv 演练.csv           who was reached, and who was not and why
"""

_BY = Annotated[str | None, typer.Option("--by", help="Who does it; you, if not given.")]
_ID = Annotated[str, typer.Argument(metavar="ID", help="The drill's id, as `dispatch drill list` shows it.")]
_JSON = Annotated[bool, typer.Option("--json", help="Print for a machine.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, invoke_without_command=True, callback=begin)
    group.command("resume")(resume)
    group.command("list")(list_command)
    group.command("report")(report)
    group.command("end")(end)
    app.add_typer(group, name="drill", help=EXAMPLES)


def begin(  # noqa: PLR0917 - Typer calls it by name
    context: typer.Context,
    group: Annotated[list[str] | None, typer.Option("--group", help="A joint-defence group; several times.")] = None,
    area: Annotated[str | None, typer.Option(help="Every group of this area and below it.")] = None,
    household: Annotated[list[str] | None, typer.Option("--household", help="A household; several times.")] = None,
    kind: Annotated[Kind, typer.Option(help="What it is about.")] = "help",
    minutes: Annotated[
        int, typer.Option(help="When it ends by itself.", min=LEAST_MINUTES, max=MOST_MINUTES)
    ] = MINUTES,
    escalate: Annotated[bool, typer.Option("--escalate", help="Take every step of the policy.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    by: _BY = None,
    as_json: _JSON = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    choice = Choice(
        groups=tuple(map(GroupId, group or ())),
        area=AreaId(area) if area else None,
        households=tuple(map(HouseholdId, household or ())),
    )
    author = operator_here(by)
    begun = asyncio.run(_begin(choice, kind, minutes, author, escalate=escalate, yes=yes, as_json=as_json))
    if begun is None:
        raise typer.Exit(1)
    _tell(*begun, as_json=as_json)


def resume(drill: _ID, as_json: _JSON = False) -> None:
    """Go on with a drill that was stopped while it was being begun: press for the households not pressed for yet.

    Nobody is pressed for twice, and nobody for a drill that is over.

    Examples:

      dispatch drill resume d-k3m9qxza
    """
    _tell(*asyncio.run(_resume(drill)), as_json=as_json)


def list_command(as_json: _JSON = False) -> None:
    """List the drills there were, newest first.

    Examples:

      dispatch drill list

      dispatch drill list --json
    """
    found, at = asyncio.run(_all()), now()
    if as_json:
        for drill in found:
            _print(drill_view(drill, at))
        return
    columns = folded_columns("时间 at", "谁 by", "类别 kind", "户 households", "状态 state")
    table = Table(whole_column("id", [drill.id for drill in found]), *columns)
    for drill in found:
        state = "已结束 over" if drill.is_over(at) else "进行中 running"
        when = date_and_time(drill.at)
        table.add_row(*map(Text, (drill.id, when, drill.by, drill.kind, str(len(drill.households)), state)))
    print_table(table)


def report(
    drill: _ID,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write it to this file, for a spreadsheet.")] = None,
    as_json: _JSON = False,
) -> None:
    """Show who was reached over which channel in what time, and who was not and why; while it runs and ever after.

    It is made from the log of the drill's cases and needs no Postgres. Seconds are from the first call of each person.

    Examples:

      dispatch drill report d-k3m9qxza

      dispatch drill report d-k3m9qxza --csv 演练.csv
    """
    made, names = asyncio.run(_report(drill))
    if csv is not None:
        write_file(csv, sheet(made, names).encode(), len(made.lines) + len(made.missing))
    if as_json:
        _print(report_view(made, names, now()))
    elif csv is None:
        Console().print(_table(made, names))
    typer.echo(_sum(made), err=as_json)


def end(drill: _ID) -> None:
    """End a drill now: its cases are closed, and those who were called are told.

    Examples:

      dispatch drill end d-k3m9qxza
    """
    asyncio.run(_end(drill))
    typer.echo(f"{drill}: 已结束 over")


def _tell(drill: Drill, failed: list[Gap], *, as_json: bool) -> None:
    """What was begun, and for whom it could not be; then the command has failed."""
    if as_json:
        _print({"drill": drill_view(drill, now()), "failed": failed})
    else:
        typer.echo(f"演练已开始 begun: {drill.id}，{time_of_day(drill.until)} 结束 ends by itself")
        typer.echo(f"报告 report: dispatch drill report {drill.id}")
        for gap in failed:
            typer.echo(f"未发出 not sent: {gap.what}: {gap.reason}", err=True)
    if failed:
        raise typer.Exit(1)


async def _begin(
    choice: Choice, kind: Kind, minutes: int, by: str, *, escalate: bool, yes: bool, as_json: bool
) -> tuple[Drill, list[Gap]] | None:
    async with connected() as (nc, site):
        planned = await plan_drill(Roster(nc, site), CaseDesk(CaseLog(nc, site)), choice, within=None, at=now())
        typer.echo(_told(planned, minutes, escalate=escalate), err=as_json)
        undone = "没有演练，无人被呼叫 no drill was begun, nobody was called"
        if planned.planned and not await sure("开始演练？begin the drill", yes=yes, undone=undone):
            return None
        key = secrets.token_hex(16)
        if planned.planned:
            typer.echo(f"若中断，继续 if this is stopped, go on with: dispatch drill resume {drill_id(key)}", err=True)
        return await start_drill(
            DrillBook(nc, site),
            IntakeDesk(nc, site).accept,
            planned,
            key=key,
            by=by,
            kind=kind,
            minutes=minutes,
            escalate=escalate,
            source="cli",
            at=now(),
        )


async def _resume(id_: str) -> tuple[Drill, list[Gap]]:
    async with connected() as (nc, site):
        drill, at = await DrillBook(nc, site).require(id_), now()
        if drill.is_over(at):
            raise Conflict(f"drill {drill.id} is over: nobody is pressed for any more; begin another", drill=drill.id)
        return drill, await press_the_rest(drill, IntakeDesk(nc, site).accept, Pressed(nc, site), source="cli", at=at)


async def _all() -> list[Drill]:
    async with connected() as (nc, site):
        return await DrillBook(nc, site).all()


async def _report(drill: str) -> tuple[Report, dict[str, str]]:
    async with connected() as (nc, site):
        made = await read_report(CaseLog(nc, site), await DrillBook(nc, site).require(drill))
        return made, await names_in(Roster(nc, site), made)


async def _end(drill: str) -> None:
    async with connected() as (nc, site):
        book = DrillBook(nc, site)
        await book.end(await book.require(drill), now())


def _told(planned: DrillPlan, minutes: int, *, escalate: bool) -> str:
    """Who would be rung, before they are."""
    view = plan_view(planned)
    lines = [
        f"{one['household']} {one['name']} · {one['group'] or '-'} {one['group_name'] or ''} · "
        f"{one['people']} 人 people"
        for one in view["planned"]
    ]
    lines += [f"不参加 left out: {gap['what']}: {gap['reason']}" for gap in view["left_out"]]
    how = "含升级 with escalation" if escalate else "不升级 without escalation"
    lines.append(f"演练 drill: {view['groups']} 组 groups, {view['people']} 人 people, {minutes} 分钟 min, {how}")
    return "\n".join(lines)


def _table(made: Report, names: dict[str, str]) -> Table:
    columns = folded_columns("户 household", "人员 who", "渠道 channels", "送达 reached", "应答 answer", "原因 why")
    table = Table(*columns, title=f"【演练 DRILL】{made.drill.id}")
    for line in made.lines:
        table.add_row(*map(Text, _cells(line, names)))
    for what, reason in made.missing:
        table.add_row("", Text(what), "", "", "", Text(reason))
    return table


def _cells(line: Line, names: dict[str, str]) -> tuple[str, ...]:
    channels = "\n".join(f"{one.channel} {one.outcome or 'owed'}" for one in line.tried)
    answered = f"{line.answer} {line.answered_seconds:.0f} s" if line.answered_seconds is not None else "-"
    reached = f"{line.delivered_seconds:.1f} s" if line.delivered_seconds is not None else "-"
    who = f"{names.get(line.responder, '')} {line.responder}".strip()
    return (f"{names.get(line.household, '')} {line.household}".strip(), who, channels, reached, answered, line.why)


def _sum(made: Report) -> str:
    state = f"，{made.open_cases} 件进行中 running" if made.open_cases else ""
    return f"呼叫 called {made.called}，送达 reached {made.reached}，应答 answered {made.answered}{state}"


def _print(value: object) -> None:
    typer.echo(msgspec.json.encode(value))
