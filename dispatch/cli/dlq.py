"""`dispatch dlq …`: what could not be processed, and why."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatch.cli.connected import connected
from dispatch.cli.tables import folded_columns
from dispatch.events import DeadLetter
from dispatch.web.trouble import letters

EXAMPLES = """
What could not be processed, with the reason / 无法处理的消息.

Examples:

  dispatch dlq list                           the newest fifty

  dispatch dlq list --limit 1000 --json       each with the beginning of what it was
"""
SHOWN_BODY = 200


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_command)
    app.add_typer(group, name="dlq", help=EXAMPLES)


def list_command(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a machine; one to a line.")] = False,
) -> None:
    """List what could not be processed, newest first.

    Examples:

      dispatch dlq list

      dispatch dlq list --limit 5 --json
    """
    found = asyncio.run(_list(limit))
    if as_json:
        for seq, letter in found:
            typer.echo(msgspec.json.encode(_plain(seq, letter)))
        return
    columns = folded_columns("#", "时间 at", "谁 by", "原因 reason", "来自 from")
    table = Table(*columns, title=f"DLQ ({len(found)})")
    for seq, letter in found:
        source = f"{letter.stream} {letter.seq}\n{letter.subject}"
        table.add_row(*map(Text, (str(seq), f"{letter.at:%Y-%m-%d %H:%M:%SZ}", letter.by, letter.reason, source)))
    Console().print(table)


async def _list(limit: int) -> list[tuple[int, DeadLetter]]:
    async with connected() as (nc, site):
        return await letters(nc, site, limit=limit)


def _plain(seq: int, letter: DeadLetter) -> dict[str, object]:
    """A letter as it may stand on a screen: its body cut short, and as text."""
    plain: dict[str, object] = {**msgspec.structs.asdict(letter), "letter": seq}
    return plain | {"body": letter.body[:SHOWN_BODY].decode(errors="replace")}
