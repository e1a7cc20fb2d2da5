"""How the store of presses does: while it is slow, or takes none, whoever watches is told of it every second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from uuid import uuid4

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.clock import Clock, now
from dispatch.errors import Unavailable
from dispatch.events import Strained
from dispatch.intake.metrics import STORED, UNACKNOWLEDGED
from dispatch.roles import strained_subject

log = structlog.get_logger()

SLOW_SECONDS = 1.0
"""A press is stored in a few milliseconds; DB15/T 3968-2025 wants an alarm answered within two seconds."""
LATELY_SECONDS = 10.0
"""It is over when nothing was slow or refused for so long."""
TELL_SECONDS = 1.0


class Strain:
    """What presses met at the store, from the first that was slow or refused until none is any more."""

    def __init__(self, clock: Clock = now, passed: Callable[[], float] = monotonic) -> None:
        self._clock, self._passed, self._who = clock, passed, uuid4().hex
        self._waiting: dict[object, tuple[float, datetime]] = {}
        self._since: datetime | None = None
        self._last, self._refused, self._slow = 0.0, 0, 0

    @contextmanager
    def storing(self, *, measured: bool = True) -> Iterator[None]:
        """Around the storing of a press; not `measured` where that is seen a moment later: its time is no metric."""
        press, begun, at = object(), self._passed(), self._clock()
        self._waiting[press] = begun, at
        try:
            yield
        except Unavailable:
            UNACKNOWLEDGED.inc()
            self._note(at, refused=1)
            raise
        else:
            seconds = self._passed() - begun
            if measured:
                STORED.observe(seconds)
            if seconds > SLOW_SECONDS:
                self._note(at, slow=1)
        finally:
            del self._waiting[press]

    def word(self) -> Strained | None:
        """What is to be said of it now; None while it does well."""
        passed = self._passed()
        late = [at for begun, at in self._waiting.values() if passed - begun > SLOW_SECONDS]
        for at in late:
            self._note(at)
        if self._since is None:
            return None
        if passed - self._last > LATELY_SECONDS:
            self._since = None
            return None
        return Strained(who=self._who, since=self._since, refused=self._refused, slow=self._slow, waiting=len(late))

    async def tell(self, nc: Client, site: str) -> None:
        """Say it every second while there is anything to say, until cancelled."""
        while True:
            if (word := self.word()) is not None:
                try:
                    await nc.publish(strained_subject(site), msgspec.json.encode(word))
                except NatsError as error:  # then that is what the watchdog sees
                    log.warning("intake.strain_untold", error=repr(error), refused=word.refused)
            await asyncio.sleep(TELL_SECONDS)

    def _note(self, at: datetime, *, refused: int = 0, slow: int = 0) -> None:
        passed = self._passed()
        if self._since is None or passed - self._last > LATELY_SECONDS:
            self._since, self._refused, self._slow = at, 0, 0
        self._last = passed
        self._refused += refused
        self._slow += slow
