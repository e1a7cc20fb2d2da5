"""The clock of the stories: it stands nearly still, and moves when a story says so.

The real policies, with their 45 and 60 seconds, cost a story no time, and a busy machine makes none of them late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nats.js.errors import NotFoundError

from dispatch import clock
from dispatch.clock import now, of_server
from dispatch.events import CASES, INTAKE, TIMERS, Timers, direct_get
from dispatch.identifiers import CaseId
from dispatch.moved_clock import MovedClock
from tests.fanout_streams import all_acknowledged
from tests.system import System
from tests.waiting import until

JOBS = {"fanout": INTAKE, "due": TIMERS, "escalation": CASES, "notices": CASES, "calls": CASES}
MILLISECOND = timedelta(milliseconds=1)
"""As exactly as the server takes the time of a timer."""
LATENESS = timedelta(milliseconds=100)
"""What is due is done a moment later, and the next thing counts from there."""
LATEST = datetime.max.replace(tzinfo=UTC)
BETWEEN_STORIES = timedelta(minutes=15)
"""So that nothing which is remembered for a while (a press, a PIN that was tried) goes from one story into the next."""


def file_in(folder: Path) -> Path:
    """By what the clock of a system on `folder` is moved."""
    return folder / "clock"


class TheClock:
    """The clock of one running system and, while a story goes on, of the test itself."""

    def __init__(self, system: System) -> None:
        self._nc, self._site = system.nc, system.settings.site
        self._clock = MovedClock(file_in(system.folder))
        self._timers = Timers(self._nc, self._site)

    async def moves(self, seconds: float) -> None:
        """Let so many seconds pass: what falls due in them is done at its time, one after another."""
        until_then = now() + timedelta(seconds=seconds)
        await self.settles()
        while (due := min((await self._pending()).values(), default=LATEST)) <= until_then + LATENESS:
            await self._shows(due + MILLISECOND)
        await self._shows(until_then)

    def leaps(self, seconds: float) -> None:
        """Put it forward by so many seconds while nobody is there to do what falls due in them."""
        self._clock.put_forward(now() + timedelta(seconds=seconds))

    async def loses_its_timers(self) -> None:
        """Nobody will say any more that something is due."""
        await self._nc.jetstream().purge_stream(TIMERS, subject=f"timers.{self._site}.*")

    async def settles(self) -> None:
        """Wait until everything that there is to be done by now is done: afterwards nothing rings by itself."""

        async def quiet() -> bool:
            before = await self._written()
            idle = [await self._is_idle(job, stream) for job, stream in JOBS.items()]
            due = [at for at in (await self._pending()).values() if at <= now()]
            return all(idle) and not due and before == await self._written()

        await until(quiet, "everything that is due to be done", seconds=60)

    async def _shows(self, at: datetime) -> None:
        pending = await self._pending()
        self._clock.put_forward(at)
        # The server's own clock does not move: it is told anew when each timer is due by it.
        await asyncio.gather(*(self._timers.set(case, due) for case, due in pending.items()))
        await self.settles()

    async def _pending(self) -> dict[CaseId, datetime]:
        """Every case that has a timer, with the time for which it is set."""
        subject = f"timers.{self._site}."
        found = await direct_get(self._nc, TIMERS, {"multi_last": [f"{subject}*"]})
        headers = [message.headers or {} for message in found]
        return {
            CaseId(of["Nats-Subject"].removeprefix(subject)): of_server(
                datetime.fromisoformat(of["Nats-Schedule"].removeprefix("@at "))
            )
            for of in headers
        }

    async def _is_idle(self, job: str, stream: str) -> bool:
        return await all_acknowledged(self._nc, stream, f"{job}-{self._site}")

    async def _written(self) -> list[int]:
        """What is new whenever anything is written down."""
        return [await self._last(CASES, f"cases.{self._site}.*.*"), await self._last(TIMERS, f"*.{self._site}.*")]

    async def _last(self, stream: str, subject: str) -> int:
        try:
            return int((await self._nc.jetstream().get_last_msg(stream, subject)).seq or 0)
        except NotFoundError:
            return 0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[TheClock]:
        """The clock stands while a story goes on; afterwards it goes on by itself."""
        clock.go_by(self._clock)
        try:
            self._clock.put_forward(now())
            yield self
        finally:
            await self.loses_its_timers()
            self._clock.put_forward(now() + BETWEEN_STORIES, pace=1)
            clock.go_by(None)
