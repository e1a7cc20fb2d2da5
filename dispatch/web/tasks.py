"""Background work of one process that must go on: a failure is logged and the work begun again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from dispatch.events.going_on import going_on

log = structlog.get_logger()

CANCEL_SECONDS = 0.2

Work = Callable[[], Awaitable[None]]


class Tasks:
    """Tasks that are started together and stopped together."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def keep(self, name: str, work: Work) -> None:
        """Run `work` until `stop`, again and again."""
        self.once(name, lambda: going_on(name, work))

    def once(self, name: str, work: Work) -> None:
        """Run `work` to its end, or until `stop`; a failure is logged."""
        task = asyncio.create_task(_logged(name, work), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        """Cancel what runs, until all of it has ended."""
        # Before Python 3.12 `wait_for` loses a cancellation that comes just as its result does.
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running, timeout=CANCEL_SECONDS)


async def _logged(name: str, work: Work) -> None:
    try:
        await work()
    except Exception:
        log.exception("task.failed", task=name)
