"""What was answered lately, for questions that anybody may ask as often as they like."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Lately(Generic[T]):
    """An answer that is good for `seconds`, and a refusal, which is hoped to be over soon, for a fifth of that.

    Whoever asks meanwhile, or while it is being found, gets the same.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._ask, self._seconds, self._clock = ask, seconds, clock
        self._asking: asyncio.Task[T] | None = None
        self._good_until = float("-inf")

    async def answer(self) -> T:
        """The answer. Raises what `ask` raised."""
        if self._asking is None or (self._asking.done() and self._clock() >= self._good_until):
            self._asking = asyncio.create_task(self._find())
        return await asyncio.shield(self._asking)  # one who goes away ends it for nobody else

    async def _find(self) -> T:
        seconds = self._seconds / 5
        try:
            found = await self._ask()
            seconds = self._seconds
            return found
        finally:
            self._good_until = self._clock() + seconds
