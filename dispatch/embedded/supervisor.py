"""Keeps processes running: starts again what dies, reports what will not stay up, ends all in order."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

from dispatch.embedded.child import Child
from dispatch.embedded.logs import Follower, bound
from dispatch.errors import DispatchError

STEADY = 30.0
"""Seconds after which a process counts as having started well."""
LONGEST_PAUSE = 10.0
"""Seconds between two starts of a process that dies again and again."""

TELLING = (
    "kind", "what", "detail", "reason", "error", "job", "by", "projection", "channel", "provider", "case", "subject",
)  # fmt: skip
"""What of an event in a log is told beside its name, in this order."""
WHERE_TO_LOOK = {
    "work.buried": "`dispatch dlq list`",
    "project.buried": "`dispatch dlq list`",
    "incident": "the alarms of the system on the desk",
}
LONGEST_SAID = 200
"""Characters of one value; the log has it whole."""

Report = Callable[[str, str], None]
"""Told a line for people and, below it, lines of a log (or nothing)."""


class Kept(Protocol):
    """What can be kept running: an `EmbeddedServer` or a `Role`."""

    @property
    def name(self) -> str: ...
    @property
    def child(self) -> Child: ...

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Role:
    """One of our own processes (`serve`, `fanout`, …), run as `python -m dispatch NAME`."""

    def __init__(self, name: str, logs: Path, env: Mapping[str, str], command: Sequence[str] | None = None) -> None:
        """`env` is added to ours; `command` replaces the process, for tests of supervision itself."""
        self.name = name
        self.child = Child(name, logs / f"{name}.log")
        self._env = {**os.environ, **env}
        self._command = command or [sys.executable, "-m", "dispatch", name]

    async def start(self) -> None:
        await self.child.start(self._command, env=self._env)

    async def stop(self) -> None:
        """End it in order: it finishes what it is doing, for 15 seconds at most."""
        await self.child.stop(patience=15)


class Supervisor:
    """Keeps what it is given running until `stop`. `report` is told of every death and of every logged error."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._kept: list[Kept] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, kept: Kept) -> None:
        """Start it and keep it running. Raises what its first start raises."""
        follower = Follower(kept.child.log)  # before it starts: it may say something at once
        await kept.start()
        self._kept.append(kept)
        self._tasks += [asyncio.create_task(self._keep(kept)), asyncio.create_task(self._watch_log(kept, follower))]

    async def stop(self, first: Sequence[str] = ()) -> None:
        """End everything, one after the other: those named `first`, in that order, then what was started last."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        rest = [kept for kept in reversed(self._kept) if kept.name not in first]
        for kept in (*sorted((k for k in self._kept if k.name in first), key=lambda k: first.index(k.name)), *rest):
            await kept.stop()

    async def kill(self) -> None:
        """End everything at once."""
        await asyncio.gather(*(kept.child.kill() for kept in self._kept))

    async def _keep(self, kept: Kept) -> None:
        deaths = 0
        started = monotonic()
        while True:
            code = await kept.child.wait()
            deaths = 1 if monotonic() - started > STEADY else deaths + 1
            self._report_death(kept, code, deaths)
            await asyncio.sleep(pause_after(deaths))
            started = monotonic()
            try:
                await kept.start()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                why = error if isinstance(error, DispatchError | OSError) else repr(error)
                self._report(f"{kept.name} cannot start: {why}", "")

    def _report_death(self, kept: Kept, code: int, deaths: int) -> None:
        how = f"was ended by signal {-code}" if code < 0 else f"stopped with exit code {code}"
        if deaths % 3 == 0:
            again = f"({deaths} times in a row); next try in {pause_after(deaths):.0f} s. {kept.child.log} ends:"
            self._report(f"{kept.name} {how} {again}", kept.child.last_lines())
        else:
            self._report(f"{kept.name} {how}; starting it again", "")

    async def _watch_log(self, kept: Kept, follower: Follower) -> None:
        trouble = ""
        while True:
            await asyncio.sleep(1)
            try:
                for line in list(errors_in(follower.new_lines()))[:5]:
                    self._report(f"{kept.name}: {line}", "")
                bound(kept.child.log)
                trouble = ""
            except Exception as error:  # noqa: BLE001 - whatever it is, what comes next must be told; said once
                why = str(error) if isinstance(error, OSError) else repr(error)
                if why != trouble:
                    trouble = why
                    self._report(f"{kept.name}: its log cannot be read: {trouble}", "")


def pause_after(deaths: int) -> float:
    """Seconds to wait after so many deaths in a row: none after the first, then longer each time."""
    return 0.0 if deaths < 2 else min(LONGEST_PAUSE, 0.5 * 2.0 ** (deaths - 2))


def errors_in(lines: Iterator[str]) -> Iterator[str]:
    """What lines of our JSON logs say at level error or above: the event, what it says of itself, and where to look."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("level") in {"error", "critical"}:
            yield _told(event, line)


def _told(event: Mapping[str, object], line: str) -> str:
    name = str(event.get("message", line))
    said = [_said(event[field]) for field in TELLING if event.get(field)]
    if name in WHERE_TO_LOOK:
        said.append(f"see {WHERE_TO_LOOK[name]}")
    return f"{name}: {'; '.join(said)}" if said else name


def _said(value: object) -> str:
    words = " ".join(str(value).split())
    return words if len(words) <= LONGEST_SAID else f"{words[:LONGEST_SAID]}…"
