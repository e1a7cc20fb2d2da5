"""Work that blocks, each in a thread of its own: bounded in number, and in time for whoever waits for it.

A thread cannot be stopped. One that hangs keeps its turn until it ends, so that a place that hangs uses up its own
turns and nobody else's; and no thread keeps the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakValueDictionary

AT_ONCE = 256
AT_ONCE_PER_PLACE = 16

T = TypeVar("T")


class Threads:
    """Turns for work that blocks: `at_once` in all, `per_place` for each place (a provider)."""

    def __init__(self, at_once: int = AT_ONCE, per_place: int = AT_ONCE_PER_PLACE) -> None:
        self._turns, self._per_place = asyncio.Semaphore(at_once), per_place
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def run(self, place: str, work: Callable[[], T], seconds: float) -> T:
        """What `work` gives. Raises what it raises, and `TimeoutError` after `seconds`, waiting for a turn included."""
        known = self._places.get(place)
        turns = known if known is not None else self._places.setdefault(place, asyncio.Semaphore(self._per_place))
        async with asyncio.timeout(seconds):
            await turns.acquire()
            try:
                await self._turns.acquire()
            except BaseException:
                turns.release()
                raise

            def over(_: object) -> None:
                self._turns.release()
                turns.release()

            running = asyncio.wrap_future(_begin(work))
            running.add_done_callback(over)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                running.add_done_callback(_unheard)
                raise


def _begin(work: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (whatever it is, it belongs to whoever waits)
            future.set_exception(error)

    threading.Thread(target=run, name="blocking", daemon=True).start()
    return future


def _unheard(running: asyncio.Future[T]) -> None:
    """Take note of an error that nobody waits for any more."""
    if not running.cancelled():
        running.exception()
