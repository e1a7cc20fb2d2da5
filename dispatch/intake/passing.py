"""Whether the presses of buttons get stored: nats-server does that by itself, and tells nobody where it cannot.

Each press passes one of the serve processes as it comes in. Some of them are looked for in the stream, since what is
wrong with the store meets them all.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.cases.decisions import REPEAT_WINDOW
from dispatch.clock import Clock, now, of_server
from dispatch.errors import Unavailable
from dispatch.events import INTAKE, direct_get, last_of_each
from dispatch.intake.strain import Strain

log = structlog.get_logger()

AT_ONCE, REST_SECONDS = 8, 1.0
"""So many are looked for at a time, and for so long after each one fewer: a flood is not to become one of questions."""
PATIENCE_SECONDS = 4.5
"""As long as a press over HTTP is tried (`desk.TRIES`, `desk.TRY_SECONDS`)."""
PAUSE_SECONDS = 0.1
NEAR = 64
"""How far before the newest press of a household one may stand that passed a moment ago."""


class Passing:
    """Looks for presses that have passed, and has `strain` hear of those that are late or missing."""

    def __init__(self, nc: Client, strain: Strain, clock: Clock = now) -> None:
        self._nc, self._strain, self._clock = nc, strain, clock
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def looks(self) -> int:
        """How many are looked for, or were a moment ago."""
        return len(self._tasks)

    def look_for(self, press: Msg) -> None:
        """Look whether a press that has just passed gets stored, if not too many are looked for. Returns at once."""
        if len(self._tasks) < AT_ONCE:
            task = asyncio.create_task(self._look(press.subject, press.data))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self, subject: str, body: bytes) -> None:
        try:
            with self._strain.storing(measured=False):
                await self._until_stored(subject, body)
        except Unavailable as error:
            log.error("button.not_stored", household=subject.rpartition(".")[2], reason=error.detail)
        await asyncio.sleep(REST_SECONDS)

    async def _until_stored(self, subject: str, body: bytes) -> None:
        loop, newest = asyncio.get_running_loop(), None
        end = loop.time() + PATIENCE_SECONDS
        while loop.time() < end:
            with suppress(Unavailable):  # a store that does not answer has not said that it has it
                last = await self._last(subject)
                if newest is not None and last > newest:
                    return  # this one, or one that came after it
                if newest is None and await self._is_near(subject, body, last):
                    return
                newest = last
            await asyncio.sleep(PAUSE_SECONDS)
        raise Unavailable(f"it passed, and the store of presses has not got it after {PATIENCE_SECONDS:g} s")

    async def _last(self, subject: str) -> int:
        found = await last_of_each(self._nc, INTAKE, [subject])
        return int((found[0].headers or {})["Nats-Sequence"]) if found else 0

    async def _is_near(self, subject: str, body: bytes, last: int) -> bool:
        """Whether this press is among the newest; one that was sent again and is stored from before is not lost.

        What was stored longer ago is another one with the same words, as for the cases.
        """
        if not last:
            return False
        request: dict[str, object] = {"seq": max(1, last - NEAR), "next_by_subj": subject, "batch": NEAR + 1}
        since = self._clock() - REPEAT_WINDOW
        found = await direct_get(self._nc, INTAKE, request)
        return any(one.data == body and _stored_at(one) > since for one in found)


def _stored_at(found: Msg) -> datetime:
    return of_server(datetime.fromisoformat((found.headers or {})["Nats-Time-Stamp"]))
