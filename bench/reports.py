"""`python -m bench.reports`: what the desk and the reports ask of Postgres, with a million cases in its tables."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from bench.figures import Measured, percentile
from dispatch.embedded import EmbeddedPostgres
from dispatch.identifiers import AreaId, PersonId
from dispatch.migrate import migrate
from dispatch.projections import ReadModels
from tests.million import ENDED, MILLION, fill_board, fill_latency, fill_responses

GOAL_MS = 100.0
"""p95 of what a dashboard asks, as the issue has it. Reports over a year are measured beside it, not held to it."""
MONTH, YEAR = timedelta(days=31), timedelta(days=366)
ZONE = "Asia/Shanghai"
Asking = Callable[[], Awaitable[Any]]
console = Console(stderr=True)


def asked(models: ReadModels) -> dict[str, Asking]:
    """Every query by name, as the web asks it."""

    def response(by: str, since: timedelta, area: str | None = None) -> Asking:
        return lambda: models.reports.response(by=by, **_period(since, area), as_of=ENDED, zone=ZONE, limit=501)

    def workload(by: str, area: str | None = None, responder: str | None = None, since: timedelta = MONTH) -> Asking:
        who = PersonId(responder) if responder else None
        return lambda: models.reports.workload(by=by, **_period(since, area), responder=who, limit=101)

    return {
        "board: open cases": lambda: models.list_cases(status="open"),
        "board: closed cases of a township": lambda: models.list_cases(status="closed", area=AreaId("t-3")),
        "month: newest 100 and summary, a village": lambda: models.latency(
            area=AreaId("v-17"), since=ENDED - MONTH, until=ENDED
        ),
        "month: newest 100 and summary, the site": lambda: models.latency(since=ENDED - MONTH, until=ENDED),
        "month: response in sum, the site": response("total", MONTH),
        "month: response by area, the site": response("area", MONTH),
        "month: response by day, the site": response("day", MONTH),
        "month: response by village, a township": response("area", MONTH, "t-3"),
        "month: response by day, a village": response("day", MONTH, "v-17"),
        "year: response by month, a village": response("month", YEAR, "v-17"),
        "year: response by month, a township": response("month", YEAR, "t-3"),
        "year: response by month, the site": response("month", YEAR),
        "month: workload by officer, a village": workload("responder", "v-17"),
        "month: workload by officer, a township": workload("responder", "t-3"),
        "month: workload by officer, the site": workload("responder"),
        "year: workload of one officer": workload("responder", None, "o-17-12", YEAR),
        "month: hot spots, the site": lambda: models.reports.hot_spots(**_period(MONTH, None), zone=ZONE, limit=101),
    }


def _period(length: timedelta, area: str | None) -> dict[str, Any]:
    since: datetime = ENDED - length
    return {"since": since, "until": ENDED, "area": AreaId(area) if area else None}


async def measure(cases: int, each: int, times: int) -> list[Measured]:
    """The time of each query, `times` times one after the other, after one that is not counted."""
    with tempfile.TemporaryDirectory(prefix="dispatch-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - the database's own user must get through
        async with EmbeddedPostgres(Path(folder)) as server:
            await migrate(server.dsn)
            await _fill(server.dsn, cases, each)
            models = ReadModels(server.dsn, "s")
            try:
                return [await _measured(name, ask, times) for name, ask in asked(models).items()]
            finally:
                await models.close()


async def _fill(dsn: str, cases: int, each: int) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off", "jit": "off"})
    console.print(f"[dim]writing {cases:,} cases and {each} responders to each …")
    await fill_board(connection, cases)
    await fill_latency(connection, cases)
    await fill_responses(connection, each, cases)
    await connection.close()


async def _measured(name: str, ask: Asking, times: int) -> Measured:
    await ask()
    took = []
    for _ in range(times):
        began = time.perf_counter_ns()
        await ask()
        took.append((time.perf_counter_ns() - began) / 1e6)
    return Measured(name, took)


def goal_of(query: Measured) -> float | None:
    """The most that its p95 may be, in milliseconds; None for a year, which a dashboard does not ask."""
    return None if query.name.startswith("year") else GOAL_MS


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
    given = parser.parse_args()
    found = asyncio.run(measure(given.cases, given.responders, given.times))
    if given.json:
        print(json.dumps([{**one.document(), "p95_ms": round(percentile(one.milliseconds, 95), 3)} for one in found]))
    else:
        show(found)


if __name__ == "__main__":
    main()
