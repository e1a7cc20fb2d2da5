"""The run itself, and how it is asked for."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Annotated

import aiohttp
import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dispatch.errors import Unavailable
from tests.faults.rampage.account import Account, account
from tests.faults.rampage.blows import Striker, blows
from tests.faults.rampage.county import Life, board_of, cases_of, settle
from tests.faults.rampage.phones import county_phones
from tests.faults.rampage.stage import stage

PATIENCE_SECONDS = 60.0
"""How long everything that is owed may take to be done after the last blow."""


async def rampage(kills: int, seed: int, console: Console) -> Account:
    """Kill `kills` times under load, wait until what is owed is done, and give the account."""
    async with county_phones() as phones, stage() as running:
        homes = await settle(running, phones)
        life = Life(running, phones, homes, seed)
        going_on = asyncio.create_task(life.go_on())
        striker = Striker(running, phones, seed)
        await striker.listen()
        with _progress(console) as progress:
            bar = progress.add_task("kill -9", total=kills)
            for blow in blows(kills, seed):
                progress.update(bar, description=f"kill -9 {blow.victim} at {blow.moment}, trouble: {blow.trouble}")
                await striker.strike(blow)
                progress.advance(bar)
                if going_on.done():
                    going_on.result()
        life.calm()
        await going_on
        await striker.recovered()

        async def taken() -> Account:
            rung = {ring: tuple(times) for ring, times in phones.rung.items()}  # before the log: a case may widen yet
            cases = [case for home in homes for case in await cases_of(running, home)]
            board = await board_of(running)
            return account(
                kills=kills,
                accepted=life.pressed.accepted,
                cases=cases,
                rung=rung,
                crashes=striker.crashes,
                board=board,
            )

        console.print("[dim]the last blow has fallen; waiting for what is owed …")
        return await _settled(taken)


async def _settled(taken: Callable[[], Awaitable[Account]]) -> Account:
    """The account once nothing is at fault any more, or after `PATIENCE_SECONDS`."""
    deadline = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            result = await taken()
        except (Unavailable, aiohttp.ClientError, TimeoutError):
            if monotonic() > deadline:
                raise
        else:
            if not result.faults or monotonic() > deadline:
                return result
        await asyncio.sleep(0.5)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console,
    )  # fmt: skip


def main(
    kills: Annotated[int, typer.Option(min=1, help="How many processes to kill.")] = 16,
    seed: Annotated[int, typer.Option(help="The same seed strikes in the same order.")] = 1,
) -> None:
    """Kill -9 the fan-out, the API, the other roles, nats-server and Postgres under load, then count who was called.

    The last line printed is the account. The exit code is 1 when a press or a call was lost or a phone rang too often.

    Examples:
      python -m tests.faults.rampage

      python -m tests.faults.rampage --kills 200 --seed 7

    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console = Console(stderr=True)
    result = asyncio.run(rampage(kills, seed, console))
    for fault in result.faults:
        console.print(f"[red]{fault}")
    print(result)  # noqa: T201
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    typer.run(main)
