"""`python -m bench`: play every scene on fresh servers, and say what was measured as a table with ratios."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvloop

from bench import last_call, machine, report
from bench.long_log import THOUSANDTH
from bench.lookup import SMALLEST
from bench.programme import SCENES, Sizes, play
from bench.results import Failed
from bench.scene import RESPONDERS, console

T = TypeVar("T")

QUICK = Sizes(
    presses=100, alarms=40, seen=10, storm=30, past=500, reported=10_000, commands=5, messages=500, households=10_000,
    cases=1000, times=100, silence=1,
)  # fmt: skip
_HELP = {
    "presses": "presses to time",
    "alarms": "alarms of 13 calls to time, and the load of the memory scene",
    "seen": "alarms to time on the screen of an operator",
    "storm": "alarms at once in the storm; 0: none",
    "past": "past cases to rebuild",
    "reported": "cases in the tables of the reports",
    "responders": "responders to each of those, 13 at most",
    "commands": "cases of nine commands to load, decide and append",
    "messages": "messages of the backlog to consume",
    "households": f"households of the largest roster, in thousands from {SMALLEST} on",
    "cases": f"past cases of the longest log, in thousands from {THOUSANDTH} on",
    "times": "call lists of each roster, and four times as many as presses of each log",
    "silence": "seconds without a question before those are timed",
}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument("--json", action="store_true", help="print figures for a machine")
    made.add_argument(
        "--only", action="extend", nargs="+", metavar="NAME", choices=SCENES, help=f"these scenes: {', '.join(SCENES)}"
    )
    made.add_argument("--write", type=Path, metavar="FOLDER", help=f"write {report.FILE} and its plots there")
    made.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not to measure")
    for size in fields(Sizes):
        made.add_argument(f"--{size.name}", type=int, help=f"{_HELP[size.name]} (default {size.default})")
    return made


def main() -> None:
    asked = parser().parse_args()
    sizes = _sizes(asked)
    measured_on = machine.described()
    try:
        results = uvloop.run(_until_told(play(asked.only or SCENES, sizes)))
    except asyncio.CancelledError:
        console.print("told to end: the servers are stopped, and nothing is written")
        sys.exit(128 + signal.SIGTERM)
    if asked.json:
        benchmarks = [{"scene": name} | each.document() for name, given in results.items() for each in given]
        print(json.dumps({"machine": measured_on, "benchmarks": benchmarks}, indent=2))
    else:
        report.show(results)
    if asked.write is not None:
        console.print(f"written: {report.write(asked.write, measured_on, results)}")
    if any(isinstance(result, Failed) for given in results.values() for result in given):
        sys.exit(1)


async def _until_told(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives; SIGTERM ends it as Ctrl-C does, for whoever is just killed leaves its servers behind."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _sizes(asked: argparse.Namespace) -> Sizes:
    """Ends with what is wrong where nothing would be left to measure."""
    usual = QUICK if asked.quick else Sizes()
    given = {size.name: getattr(asked, size.name) for size in fields(Sizes)}
    sizes = Sizes(**{name: getattr(usual, name) if value is None else value for name, value in given.items()})
    if sizes.alarms <= last_call.WARM_UP or sizes.presses < 1:
        few = last_call.WARM_UP
        parser().error(f"use at least {few + 1} alarms (the first {few} warm up) and 1 press")
    if sizes.storm < 0 or min(sizes.commands, sizes.messages, sizes.past) < 1 or sizes.times < 4:
        parser().error(
            "use at least 1 case of commands, 1 past one, 1 message and 4 times, and no storm less than none"
        )
    if sizes.reported < 1 or not 1 <= sizes.responders <= RESPONDERS:
        parser().error(f"use at least 1 case to report, and 1 to {RESPONDERS} responders")
    for name, thousand in (("households", SMALLEST), ("cases", THOUSANDTH)):
        if getattr(sizes, name) < thousand or getattr(sizes, name) % thousand:
            parser().error(f"--{name}: use a multiple of {thousand}")
    return sizes


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # figures alone on standard output
    main()
