"""What is being counted, once for all who ask for the same while it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any


@dataclass
class _Count:
    task: asyncio.Task[Any]
    waiting: int = 0


class Counting:
    """Counts that are under way, by what is counted."""

    def __init__(self) -> None:
        self._running: dict[Hashable, _Count] = {}

    async def of(self, what: Hashable, count: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """What the count of `what` says: the one under way, or else `count`. What it raises goes to all who wait.

        Whoever is cancelled leaves it to the others; with the last of them it is cancelled, too.
        """
        running = self._running.get(what)
        if running is None:
            running = self._running[what] = _Count(asyncio.create_task(count()))
        running.waiting += 1
        try:
            return await asyncio.shield(running.task)
        finally:
            running.waiting -= 1
            if not running.waiting:
                running.task.cancel()
            if self._running.get(what) is running and (running.task.done() or not running.waiting):
                del self._running[what]
