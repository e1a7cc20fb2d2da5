"""`dispatch rebuild`: read models are disposable, and made again from the log while the system runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from dispatch.cli.asking import can_ask, sure
from dispatch.cli.connected import connected
from dispatch.cli.stopped import stopped
from dispatch.errors import Malformed
from dispatch.projections import Compared, Progress, Projection, all_projections, projections_named, rebuilding
from dispatch.projections.rebuild import ADVICE
from dispatch.settings import load_settings

PHASES = {
    "loading": "读取日志 reading",
    "indexing": "建索引 indexing",
    "late": "补齐 the rest",
    "following": "跟上 catching up",
    "comparing": "比较 comparing",
    "switching": "切换 switching",
}
UNCHANGED = "线上读模型未变 the live read models are as they were"


def register(app: typer.Typer) -> None:
    app.command("rebuild")(rebuild_command)


def rebuild_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[READ MODEL]…", help="All, if none is given.")] = None,
    compare_only: Annotated[bool, typer.Option("--compare-only", help="Build and compare; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Switch without asking, whatever differs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a machine.")] = False,
) -> None:
    """Make read models anew from the whole log, beside the live ones, and put them in their place. Nobody is called.

    Alarms and the board go on meanwhile. What the new tables say otherwise is shown before the switch. Ended in the
    middle (Ctrl-C, a crash), it leaves the live tables as they were, and begins anew the next time.

    Examples:

      dispatch rebuild

      dispatch rebuild latency responses --yes

      dispatch rebuild --compare-only
    """
    chosen = projections_named(names or [], all_projections())
    if not (compare_only or yes or can_ask()):
        raise Malformed("nobody can be asked here: add --yes, or --compare-only", field="yes")
    with stopped(lambda: ADVICE):
        compared, switched = asyncio.run(_rebuild(chosen, switch=not compare_only, yes=yes, as_json=as_json))
    if as_json:
        found = [{"projection": one.projection, "differ": one.rows, "because": one.because} for one in compared]
        typer.echo(json.dumps({"rebuilt": switched, "compared": found}))
    elif switched:
        typer.echo(f"已重建 rebuilt: {', '.join(switched)}")
    else:
        typer.echo(UNCHANGED)


async def compare_read_models(*, as_json: bool) -> list[Compared]:
    """What the live read models say otherwise than ones made anew; shown unless `as_json`. Nothing is changed."""
    compared, _ = await _rebuild(all_projections(), switch=False, yes=False, as_json=as_json)
    return compared


async def _rebuild(
    chosen: Sequence[Projection], *, switch: bool, yes: bool, as_json: bool
) -> tuple[list[Compared], list[str]]:
    settings = load_settings()
    dsn, url = settings.require_postgres(), settings.require_nats()
    async with connected() as (nc, site):
        with _shown() as told:
            async with rebuilding(nc, url, dsn, site, projections=chosen, told=told) as under_way:
                await under_way.build()
                compared = await under_way.compare()
                if not as_json:
                    _show(compared)
                if not switch or not (yes or await _agreed(compared)):
                    return compared, []
                await under_way.switch()
                return compared, under_way.names


async def _agreed(compared: Sequence[Compared]) -> bool:
    differ = sum(one.rows for one in compared)
    question = f"{differ} 行不同，切换？ {differ} rows differ; put the new tables in place?"
    return await sure(question, yes=differ == 0, undone=UNCHANGED)


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """A bar on the terminal's error output: events done, events a second, time left."""
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[events]:,} events  {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task("", total=None, events=0, rate=0.0)
    shown = ""

    def told(progress: Progress) -> None:
        nonlocal shown
        if progress.phase == "loading" and progress.total:
            rate = progress.events / max(monotonic() - progress.began, 0.001)
            bar.update(task, total=progress.total, completed=progress.messages, events=progress.events, rate=rate)
        if progress.phase != shown:
            shown = progress.phase
            bar.update(task, description=PHASES[shown])
            if shown in {"comparing", "switching"}:
                bar.stop()  # from here on people may be asked

    bar.start()
    try:
        yield told
    finally:
        bar.stop()


def _show(compared: Sequence[Compared]) -> None:
    out = Console(stderr=True)
    for one in compared:
        if one.because is not None:
            out.print(f"[yellow]{one.projection}: 未比较 not compared: {one.because}", highlight=False)
            continue
        mark = "green" if one.rows == 0 else "yellow"
        out.print(f"[{mark}]{one.projection}: {one.rows} 行不同 rows differ", highlight=False)
        for difference in one.differences:
            for live, rebuilt in difference.examples:
                out.print(f"  {difference.table}: {_told(live, rebuilt)}", markup=False, highlight=False)


def _told(live: dict[str, object] | None, rebuilt: dict[str, object] | None) -> str:
    """One row that differs: which, and what it says in either."""
    if live is None or rebuilt is None:
        row = rebuilt or live or {}
        return f"{_which(row)} only in the {'new' if live is None else 'live'} table"
    changed = (f"{name}: {live[name]!r} → {rebuilt[name]!r}" for name in live if live[name] != rebuilt.get(name))
    return f"{_which(rebuilt)} {'; '.join(changed)}"


def _which(row: dict[str, object]) -> str:
    names = ("case_id", *(("seq", "index") if "index" in row else ()), "step", "responder", "channel")
    return " ".join(str(row[name]) for name in names if name in row) or str(row)[:200]
