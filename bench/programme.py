"""What is played, in which order, and how large. A scene that is entered here has its place in tables and plots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import (
    accepted,
    committed,
    consuming,
    deciding,
    last_call,
    long_log,
    lookup,
    memory,
    on_screen,
    rebuilt,
    reports,
    storm,
)
from bench.results import Failed, Listing, Result
from bench.scene import Scene, console, scene, servers, temporary_folder
from dispatch.embedded import EmbeddedNats
from tests.million import MILLION

PATIENCE = 600.0
"""Seconds after which a scene has failed."""

REPORTS_ASKED = 20
"""How often each query of the reports is asked."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    presses: int = 1000
    alarms: int = 300
    seen: int = 60
    storm: int = 1000
    past: int = 20_000
    reported: int = MILLION
    responders: int = 13
    commands: int = 300
    messages: int = 5000
    households: int = 1_000_000
    cases: int = 100_000
    times: int = 2000
    silence: int = 130


@dataclass
class Stage:
    """Where scenes play: `system` is started for the first that asks and serves those that come after it."""

    sizes: Sizes
    _system: Scene | None = None
    _open: AsyncExitStack | None = None

    async def system(self) -> Scene:
        if self._system is None:
            self._open = AsyncExitStack()
            self._system = await self._open.enter_async_context(scene(self.sizes.alarms))
        return self._system

    async def clear(self) -> None:
        """End the running system, so that what comes has the machine to itself."""
        closing, self._open, self._system = self._open, None, None
        if closing is not None:
            await closing.aclose()


async def _last_call(stage: Stage) -> list[Result]:
    return [await last_call.compare(await stage.system())]


async def _accepted(stage: Stage) -> list[Result]:
    return [await accepted.compare(await stage.system(), stage.sizes.presses)]


async def _on_screen(stage: Stage) -> list[Result]:
    return [await on_screen.compare(await stage.system(), stage.sizes.seen)]


async def _storm(stage: Stage) -> list[Result]:
    if not stage.sizes.storm:
        return []
    await stage.clear()  # else the open cases of the scenes before widen in the midst of it
    return [await storm.compare(await stage.system(), stage.sizes.storm)]


async def _committed(stage: Stage) -> list[Result]:
    await stage.clear()
    async with servers() as (url, dsn):
        return [await committed.compare(url, dsn)]


async def _rebuilt(stage: Stage) -> list[Result]:
    await stage.clear()
    async with servers() as (url, dsn):
        return [await rebuilt.compare(url, dsn, stage.sizes.past)]


async def _reports(stage: Stage) -> list[Result]:
    await stage.clear()
    cases, each = stage.sizes.reported, stage.sizes.responders
    measured, wrong = await reports.measure(cases, each, REPORTS_ASKED)
    title = f"what the desk and the reports ask of Postgres, with {cases:,} cases and {each} responders to each"
    plans = [Failed(title="a plan of the reports", reason=one.partition("\n")[0]) for one in wrong]
    listed = [(series, reports.goal_of(series)) for series in measured]
    return [Listing(title, listed, legend=reports.LEGEND), *plans]


async def _memory(stage: Stage) -> list[Result]:
    await stage.clear()
    return [await memory.compare(stage.sizes.alarms)]


async def _decide(stage: Stage) -> list[Result]:
    await stage.clear()
    async with servers() as (url, dsn):
        return [await deciding.compare(url, dsn, stage.sizes.commands)]


async def _consume(stage: Stage) -> list[Result]:
    await stage.clear()
    with temporary_folder() as folder:
        async with EmbeddedNats(Path(folder)) as nats:
            return [*await consuming.compare(nats.url, stage.sizes.messages)]


async def _lookup(stage: Stage) -> list[Result]:
    await stage.clear()
    return [await lookup.compare(stage.sizes.households, stage.sizes.times, stage.sizes.silence)]


async def _long_log(stage: Stage) -> list[Result]:
    await stage.clear()
    return [*await long_log.compare(stage.sizes.cases, stage.sizes.times // 4, stage.sizes.silence)]


Play = Callable[[Stage], Awaitable[Sequence[Result]]]
SCENES: Mapping[str, Play] = {
    "last-call": _last_call,
    "accepted": _accepted,
    "on-screen": _on_screen,
    "storm": _storm,
    "committed": _committed,
    "rebuilt": _rebuilt,
    "reports": _reports,
    "memory": _memory,
    "decide": _decide,
    "consume": _consume,
    "lookup": _lookup,
    "long-log": _long_log,
}
"""In this order: the last call goes before those that leave cases open."""


async def play(
    names: Collection[str], sizes: Sizes, scenes: Mapping[str, Play] = SCENES, *, patience: float = PATIENCE
) -> dict[str, Sequence[Result]]:
    """What the scenes of these `names` gave, in the order of `scenes`. One that fails is `Failed`; the next plays."""
    stage, results = Stage(sizes), dict[str, Sequence[Result]]()
    chosen = [name for name in scenes if name in names]
    try:
        for number, name in enumerate(chosen, start=1):
            console.print(f"[bold]{number} of {len(chosen)}: {name}")
            began = time.perf_counter()
            results[name] = await _played(name, scenes[name], stage, patience)
            console.print(f"[dim]{name} took {time.perf_counter() - began:.0f} s")
    finally:
        await stage.clear()
    return results


async def _played(name: str, scene: Play, stage: Stage, patience: float) -> Sequence[Result]:
    try:
        async with asyncio.timeout(patience):
            return await scene(stage)
    except Exception as error:  # noqa: BLE001 - whatever it is, it stands in the table, and the next scene plays
        reason = _first(error)
        said = str(reason) or (f"not done after {patience:g} s" if isinstance(reason, TimeoutError) else "")
        console.print_exception(max_frames=6)
        return [Failed(title=name, reason=f"{type(reason).__name__}: {said}".splitlines()[0][:300])]


def _first(error: BaseException) -> BaseException:
    """What went wrong first, of those that went wrong together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
