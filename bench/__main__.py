"""`python -m bench`: run every benchmark on a fresh system and print ratios."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Collection

import structlog
import uvloop
from rich.console import Console
from rich.table import Table

from bench import accepted, committed, last_call, rebuilt, storm
from bench.figures import Comparison
from bench.scene import scene, servers

SCENES = ("last-call", "accepted", "storm", "committed", "rebuilt")
"""In this order: the last call goes before those that leave cases open; the storm last."""


async def measure(scenes: Collection[str], presses: int, alarms: int, stormy: int) -> list[Comparison]:
    """The comparisons asked for, on one system."""
    async with scene(alarms) as stage:
        comparisons = []
        if "last-call" in scenes:
            comparisons.append(await last_call.compare(stage))
        if "accepted" in scenes:
            comparisons.append(await accepted.compare(stage, presses))
        if "storm" in scenes and stormy:
            comparisons.append(await storm.compare(stage, stormy))
        return comparisons


async def measure_read_models(scenes: Collection[str], cases: int) -> list[Comparison]:
    """What the read models take, on servers where nothing else runs."""
    async with servers() as (url, dsn):
        comparisons = []
        if "committed" in scenes:
            comparisons.append(await committed.compare(url, dsn))
        if "rebuilt" in scenes:
            comparisons.append(await rebuilt.compare(url, dsn, cases))
        return comparisons


def show(comparisons: list[Comparison]) -> None:
    table = Table(title="ours beside the bare limit, one run, this machine; times in ms")
    for column in ("what", "", "p50", "p99", "max", "n"):
        table.add_column(column, justify="left" if column in {"what", ""} else "right")
    for comparison in comparisons:
        for measured in (comparison.bare, comparison.ours):
            figures = (measured.p50, measured.p99, max(measured.milliseconds))
            table.add_row(
                comparison.title if measured is comparison.bare else "",
                measured.name,
                *(f"{value:.2f}" for value in figures),
                str(len(measured.milliseconds)),
            )
        for name, value in comparison.facts.items():
            table.add_row("", f"{name.replace('_', ' ')}: {value}")
        goal = comparison.goal
        table.add_row(
            "",
            f"ratio (goal ×{goal.ratio_p50:.1f}, ×{goal.ratio_p99:.1f}): {_verdict(comparison.ratios_reached)}",
            f"×{comparison.ratio_p50:.2f}",
            f"×{comparison.ratio_p99:.2f}",
        )
        table.add_row(
            "",
            f"time (goal {goal.p50:g}, {goal.p99:g} ms): {_verdict(comparison.times_reached)}",
            end_section=True,
        )
    Console(width=140).print(table)


def _verdict(reached: bool) -> str:
    return "[green]reached" if reached else "[red]missed"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print figures for a machine")
    parser.add_argument("--presses", type=int, default=1000, help="presses to time (default 1000)")
    parser.add_argument("--alarms", type=int, default=300, help="alarms of 13 calls to time (default 300)")
    parser.add_argument("--storm", type=int, default=1000, help="alarms at once in the storm (default 1000; 0: none)")
    parser.add_argument("--past", type=int, default=20_000, help="past cases to rebuild (default 20000)")
    parser.add_argument("--only", action="append", choices=SCENES, help="this scene alone (may be given again)")
    asked = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # figures alone on standard output
    if asked.alarms <= last_call.WARM_UP or asked.presses < 1:
        parser.error(f"use at least {last_call.WARM_UP + 1} alarms (the first {last_call.WARM_UP} warm up) and 1 press")
    scenes, comparisons = asked.only or SCENES, list[Comparison]()
    if set(scenes) & {"last-call", "accepted", "storm"}:
        comparisons += asyncio.run(measure(scenes, asked.presses, asked.alarms, asked.storm))
    if set(scenes) & {"committed", "rebuilt"}:
        comparisons += uvloop.run(measure_read_models(scenes, asked.past))
    if asked.json:
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        print(json.dumps({"machine": machine, "benchmarks": [c.document() for c in comparisons]}, indent=2))
    else:
        show(comparisons)


if __name__ == "__main__":
    main()
