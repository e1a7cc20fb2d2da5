"""`dispatch dlq …`: what could not be processed, and why; trying it again, or putting it aside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatch.app import dlq_desk
from dispatch.cli.asking import sure
from dispatch.cli.connected import connected
from dispatch.cli.operator import operator_here
from dispatch.cli.tables import folded_columns, print_table, visible
from dispatch.cli.times import date_and_time
from dispatch.clock import now
from dispatch.errors import DispatchError, Malformed
from dispatch.events import DlqDesk, Kept, since
from dispatch.events.dlq_desk import checked_reason
from dispatch.settings import load_settings

EXAMPLES = """
What could not be processed: why, try it again, put it aside / 无法处理的消息.

Examples:

  dispatch dlq list                           what is left to deal with, newest first

  dispatch dlq show 12                        one letter, and what was done about it

  dispatch dlq retry 12                       have it processed again, after its cause was mended

  dispatch dlq dismiss 12 --reason "测试按钮"   put it aside; it is kept
"""
SHOWN_BODY = 200
MOST = 1000
STATES = {
    "open": "待处理 open",
    "retrying": "重试中 retrying",
    "retried": "已重试 retried",
    "dismissed": "已搁置 dismissed",
}

_JSON = Annotated[bool, typer.Option("--json", help="Print for a machine; one to a line.")]
_YES = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_BY = Annotated[str | None, typer.Option("--by", help="Who does it; you, if not given.")]
_UNDONE = "没有改动，信件照旧 nothing was done, every letter is as it was"
_SEQ = Annotated[int, typer.Argument(metavar="SEQ", help="Its number, as `dispatch dlq list` shows it.", min=1)]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_command)
    group.command("show")(show)
    group.command("retry")(retry)
    group.command("dismiss")(dismiss)
    group.command("reopen")(reopen)
    app.add_typer(group, name="dlq", help=EXAMPLES)


def list_command(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=MOST)] = 50,
    every: Annotated[bool, typer.Option("--all", help="Those that are dealt with, too.")] = False,
    as_json: _JSON = False,
) -> None:
    """List what could not be processed and is left to deal with, newest first: what, why, since when, whose.

    Examples:

      dispatch dlq list

      dispatch dlq list --all

      dispatch dlq list --limit 5 --json
    """
    found = asyncio.run(_list(limit, every=every))
    if as_json:
        for kept in found:
            typer.echo(msgspec.json.encode(_plain(kept)))
        return
    columns = folded_columns("#", "时间 since", "户 whose", "谁 by", "原因 reason", "来自 from", "状态 state")
    table = Table(*columns, title=f"DLQ ({len(found)})")
    for kept in found:
        letter = kept.letter
        source = f"{letter.stream} {letter.seq}\n{letter.subject}"
        stored = date_and_time(since(kept))
        state = STATES[kept.state(now())]
        table.add_row(*map(Text, (str(kept.seq), stored, kept.household or "-", letter.by, why(kept), source, state)))
    print_table(table)


def show(seq: _SEQ, as_json: Annotated[bool, typer.Option("--json", help="Print for a machine.")] = False) -> None:
    """Show one letter: what it was, why it could not be processed, and what was done about it last.

    Examples:

      dispatch dlq show 12

      dispatch dlq show 12 --json
    """
    kept = asyncio.run(_get(seq))
    if as_json:
        typer.echo(msgspec.json.encode(_plain(kept)))
        return
    table = Table(*folded_columns("", ""), show_header=False)
    for name, value in _plain(kept).items():
        table.add_row(name, Text(value if isinstance(value, str) else msgspec.json.encode(value).decode()))
    Console().print(table)


def retry(
    seq: Annotated[int | None, typer.Argument(metavar="[SEQ]", help="Which letter.", min=1)] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that are left, but for old presses.")] = False,
    yes: _YES = False,
    by: _BY = None,
) -> None:
    """Have letters processed again, after their cause was mended. Asks first, and says how old a press is.

    A press goes back into the stream of presses with the time at which it was made, and opens a case now. One of more
    than ten minutes is left out by --all: whoever wants it to ring gives its number. A letter whose cause is
    still there stays, with the new reason. Exit code 1 when one stays.

    Examples:

      dispatch dlq retry 12

      dispatch dlq retry --all --yes
    """
    if (seq is None) == (not every):
        raise Malformed("say which letter, or --all; not neither, not both", field="seq")
    if asyncio.run(_retry(seq, operator_here(by), yes=yes)):
        raise typer.Exit(1)


def dismiss(
    seq: _SEQ,
    reason: Annotated[str, typer.Option(help="Why nothing needs to be done about it.")],
    yes: _YES = False,
    by: _BY = None,
) -> None:
    """Put a letter aside. It is kept, marked with who did it, when and why; `dispatch dlq reopen` takes it up again.

    Examples:

      dispatch dlq dismiss 12 --reason "测试按钮 a test button"

      dispatch dlq dismiss 12 --reason "重复 a duplicate" --yes
    """
    asyncio.run(_dismiss(seq, operator_here(by), checked_reason(reason), yes=yes))


def reopen(seq: _SEQ, by: _BY = None) -> None:
    """Undo a dismissal.

    Examples:

      dispatch dlq reopen 12
    """
    asyncio.run(_reopen(seq, operator_here(by)))


@asynccontextmanager
async def _desk() -> AsyncIterator[DlqDesk]:
    async with connected() as (nc, _site):
        yield dlq_desk(nc, load_settings())


async def _list(limit: int, *, every: bool) -> list[Kept]:
    async with _desk() as desk:
        return await desk.letters.newest(limit, open_only=not every)


async def _get(seq: int) -> Kept:
    async with _desk() as desk:
        return await desk.letters.get(seq)


async def _retry(seq: int | None, by: str, *, yes: bool) -> bool:
    """Whether any letter stays."""
    async with _desk() as desk:
        chosen = [await desk.letters.get(seq)] if seq else await _left(desk)
        if not chosen:
            typer.echo("没有可重试的 nothing is left to try again")
            return False
        for kept in chosen:
            typer.echo(line(kept, desk.age(kept)))
        rings = sum(kept.letter.stream in {"INTAKE", "CASES"} for kept in chosen)
        warning = "；会呼叫人员 people may be rung" if rings else ""
        if not await sure(f"重试 {len(chosen)} 条？try again{warning}", yes=yes, undone=_UNDONE):
            return True
        return any([await _retry_one(desk, kept, by) for kept in reversed(chosen)])


async def _left(desk: DlqDesk) -> list[Kept]:
    found = await desk.letters.newest(MOST, open_only=True)
    old = [kept for kept in found if desk.is_old_press(kept)]
    for kept in old:
        typer.echo(f"留下 left out, an old press: {line(kept, desk.age(kept))}", err=True)
    at = now()
    return [kept for kept in found if kept not in old and desk.can_retry(kept) and kept.state(at) == "open"]


async def _retry_one(desk: DlqDesk, kept: Kept, by: str) -> bool:
    try:
        after = await desk.retry(kept.seq, by, old_press=desk.is_old_press(kept))
    except DispatchError as error:
        typer.echo(f"#{kept.seq} 未重试 not tried: {error.detail}", err=True)
        return True
    if after.state(now()) == "retried":
        typer.echo(f"#{kept.seq} 已重试 done")
        return False
    typer.echo(f"#{kept.seq} 仍然失败，保留 it stays: {why(after)}", err=True)
    return True


async def _dismiss(seq: int, by: str, reason: str, *, yes: bool) -> None:
    async with _desk() as desk:
        kept = await desk.letters.get(seq)
        typer.echo(line(kept, desk.age(kept)))
        if not await sure("搁置？put it aside", yes=yes, undone=_UNDONE):
            raise typer.Exit(1)
        await desk.dismiss(seq, by, reason)
        typer.echo(f"#{seq} 已搁置 dismissed; 撤回 undo: dispatch dlq reopen {seq}")


async def _reopen(seq: int, by: str) -> None:
    async with _desk() as desk:
        await desk.reopen(seq, by)
        typer.echo(f"#{seq} 待处理 open again")


def line(kept: Kept, age: timedelta) -> str:
    """A letter in one line: what, whose, how old, why."""
    what = "按键 press" if kept.letter.stream == "INTAKE" else kept.letter.by
    return f"#{kept.seq} {what} {kept.household or '-'} · {spoken(age)}前 ago · {why(kept)}"


def spoken(age: timedelta) -> str:
    """How long, in hours and minutes or in seconds."""
    minutes, seconds = divmod(max(0, int(age.total_seconds())), 60)
    if minutes >= 60:
        return f"{minutes // 60}小时{minutes % 60}分 {minutes // 60} h {minutes % 60} min"
    return f"{minutes}分 {minutes} min" if minutes else f"{seconds}秒 {seconds} s"


def why(kept: Kept) -> str:
    """Why it is here: what the last retry said, else what was said at first."""
    return kept.mark.reason if kept.mark is not None and kept.mark.deed == "failed" else kept.letter.reason


def _plain(kept: Kept) -> dict[str, object]:
    """A letter as it may stand on a screen: its body cut short, and as text."""
    plain: dict[str, object] = {**msgspec.structs.asdict(kept.letter), "letter": kept.seq, "household": kept.household}
    state: dict[str, object] = {"state": kept.state(now()), "mark": kept.mark, "stored_at": since(kept)}
    return plain | state | {"body": visible(kept.letter.body[:SHOWN_BODY].decode(errors="replace"))}
