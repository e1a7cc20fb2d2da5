"""`python -m bench.reports`: what the desk and the reports ask of Postgres, with a million cases in its tables."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from bench.figures import Measured, percentile
from dispatch.embedded import EmbeddedPostgres
from dispatch.errors import Unavailable
from dispatch.identifiers import AreaId, PersonId
from dispatch.migrate import migrate
from dispatch.process import collect_rarely
from dispatch.projections import ReadModels
from dispatch.projections.reader import SETTINGS
from dispatch.web.reports.period import MOST_DAYS, month_at, months_before
from tests.million import ENDED, MILLION, fill_board, fill_latency, fill_responses
from tests.plans import all_wrong

GOAL_MS = 100.0
"""p95 of the board's lists and of every report of a month, as the issue has it, and of the trend on the page."""
LEGEND = (
    "The month is over, so each report of it is remembered until a case of it changes. With the goal: as it is asked "
    "again. With nothing remembered: as it is the first time after a start or such a change, and while a month runs."
)
ZONE = "Asia/Shanghai"
MONTH = month_at(ENDED - timedelta(days=31), ZONE)
PERIODS = {
    "month": (MONTH.since, MONTH.until),
    "year": (months_before(MONTH, 11).since, MONTH.until),
    "400 days": (MONTH.until - timedelta(days=MOST_DAYS), MONTH.until),
}
"""A month as a page has it; its trend, and the widest that the API takes."""
AREAS: dict[str, AreaId | None] = {
    "the site": None,
    "the county": AreaId("c"),
    "a township": AreaId("t-3"),
    "a village": AreaId("v-17"),
}
STATUSES = ("open", "closed", "all", "cancelled")
NOBODY = AreaId("nobody")
OFFICER = PersonId("o-17-12")
BY = ("total", "area", "kind", "target", "group", "day", "week", "month")
SHOWN, LISTED, ROWS = 30, 101, 5_001
"""Rows that a page asks for, an answer of the API, and a file."""
Asking = Callable[[], Awaitable[Any]]
console = Console(stderr=True)


def asked(models: ReadModels) -> dict[str, Asking]:
    """Every query by name."""
    found = {f"board: {name}": ask for name, ask in _lists(models)}
    for period, (since, until) in PERIODS.items():
        for place, area in AREAS.items():
            where = {"since": since, "until": until, "area": area}
            for name, ask in _reports(models, where):
                found[f"{period}, {place}: {name}"] = ask
                found[f"{period}, {place}: {name}{FIRST}"] = partial(_anew, models, ask)
    return found


def is_shown(name: str) -> bool:
    """Whether the query called `name` is measured at all times: what has a goal, and the same as it is at first."""
    return has_goal(name.removesuffix(FIRST))


def has_goal(name: str) -> bool:
    """Whether the query called `name` is to be as quick as a dashboard; the others are of a year and more."""
    where, _, what = name.partition(": ")
    period = where.partition(",")[0]
    return (period in {"board", "month"} and not what.endswith(FIRST)) or (period, what) == ("year", TREND)


def _lists(models: ReadModels) -> Iterator[tuple[str, Asking]]:
    yield "those open, to begin with", models.open_cases
    for status in STATUSES:
        for place, area in {**AREAS, "an area without cases": NOBODY}.items():
            yield f"{status}, {place}", partial(models.list_cases, status=status, area=area)
        yield f"{status}, of a kind without cases", partial(models.list_cases, status=status, kind="fire")


def _reports(models: ReadModels, where: dict[str, Any]) -> Iterator[tuple[str, Asking]]:
    reports = models.reports
    yield "cases and their summary", partial(models.latency, **where)
    response = partial(reports.response, **where, as_of=ENDED, zone=ZONE)
    for by in BY:
        yield f"response by {by}", partial(response, by=by, limit=ROWS)
    yield "response of an officer's cases", partial(response, by="total", responder=OFFICER, limit=1)
    yield "drills", partial(reports.drills, **where)
    workload = partial(reports.workload, **where)
    yield "work of groups", partial(workload, by="group", nobody=False, limit=SHOWN)
    yield "work of officers", partial(workload, by="responder", officers=True, nobody=False, limit=SHOWN)
    yield "number of groups", partial(reports.called, **where, by="group")
    yield "number of officers", partial(reports.called, **where, by="responder", officers=True)
    yield "work of everybody", partial(workload, by="responder", limit=LISTED)
    yield "work by area", partial(workload, by="area", limit=LISTED)
    yield "work of one officer", partial(workload, by="responder", responder=OFFICER, limit=LISTED)
    yield "work of groups, as a file", partial(workload, by="group", limit=ROWS)
    yield "hot spots", partial(reports.hot_spots, **where, zone=ZONE, limit=LISTED)


TREND = "response by month"
"""What the page of a month asks of the year up to it."""
FIRST = ", nothing remembered"
"""After a start, when a case of these months has changed, or in the first hours after them."""


async def _anew(models: ReadModels, ask: Asking) -> None:
    models.forget()
    await ask()


async def measure(cases: int, each: int, times: int, *, everything: bool = False) -> tuple[list[Measured], list[str]]:
    """The time of each query that has a goal, or of `everything`: `times` times, after one that is not counted.

    And what is wrong with the plans that Postgres makes for them, where there are a million cases to make them for.
    """
    with tempfile.TemporaryDirectory(prefix="dispatch-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - the database's own user must get through
        async with EmbeddedPostgres(Path(folder)) as server:
            await migrate(server.dsn)
            wrong = await _filled(server.dsn, cases, each)
            models = ReadModels(server.dsn, "s")
            before = gc.get_threshold()
            collect_rarely()  # as `dispatch serve` does
            try:
                queries = {name: ask for name, ask in asked(models).items() if everything or is_shown(name)}
                return [await _measured(name, ask, times) for name, ask in queries.items()], wrong
            finally:
                gc.unfreeze()
                gc.set_threshold(*before)
                await models.close()


async def _filled(dsn: str, cases: int, each: int) -> list[str]:
    connection = await asyncpg.connect(dsn, server_settings={**SETTINGS, "synchronous_commit": "off"})
    console.print(f"[dim]writing {cases:,} cases and {each} responders to each …")
    await fill_board(connection, cases)
    await fill_latency(connection, cases)
    await fill_responses(connection, each, cases)
    wrong = await all_wrong(connection) if cases >= MILLION else []
    await connection.close()
    for one in wrong:
        console.print(f"[red]{one}")
    return wrong


async def _measured(name: str, ask: Asking, times: int) -> Measured:
    await _answered(ask)
    took = []
    for _ in range(times):
        began = time.perf_counter_ns()
        await _answered(ask)
        took.append((time.perf_counter_ns() - began) / 1e6)
    return Measured(name, took)


async def _answered(ask: Asking) -> None:
    """What gets no answer in time took at least that time."""
    with contextlib.suppress(Unavailable):
        await ask()


def goal_of(query: Measured) -> float | None:
    """The most that its p95 may be, in milliseconds; None for what no page asks."""
    return GOAL_MS if has_goal(query.name) else None


def show(found: list[Measured]) -> None:
    table = Table(title=f"a million cases; ms; goal of what a dashboard asks: p95 ≤ {GOAL_MS:g}")
    for column in ("what", "p50", "p95", "max", "goal"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for one in found:
        p95 = percentile(one.milliseconds, 95)
        goal = goal_of(one)
        verdict = "-" if goal is None else "[green]reached" if p95 <= goal else "[red]missed"
        table.add_row(one.name, f"{one.p50:.1f}", f"{p95:.1f}", f"{max(one.milliseconds):.1f}", verdict)
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.reports", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print figures for a machine")
    parser.add_argument("--cases", type=int, default=MILLION, help=f"cases in the tables (default {MILLION})")
    parser.add_argument("--responders", type=int, default=13, choices=range(1, 14), help="of each case (default 13)")
    parser.add_argument("--times", type=int, default=20, help="how often each is asked (default 20)")
    parser.add_argument("--everything", action="store_true", help="also of longer periods, which have no goal")
    given = parser.parse_args()
    found, wrong = asyncio.run(measure(given.cases, given.responders, given.times, everything=given.everything))
    if given.json:
        print(json.dumps([{**one.document(), "p95_ms": round(percentile(one.milliseconds, 95), 3)} for one in found]))
    else:
        show(found)
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
