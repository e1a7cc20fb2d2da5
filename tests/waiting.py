"""Waiting in tests: for a condition, never for a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def until(
    condition: Callable[[], Awaitable[T | None]], what: str, *, seconds: float = ..., every: float = ...
) -> T: ...


@overload
async def until(condition: Callable[[], T | None], what: str, *, seconds: float = ..., every: float = ...) -> T: ...


async def until(
    condition: Callable[[], Awaitable[T | None] | T | None], what: str, *, seconds: float = 20, every: float = 0.02
) -> T:
    """The first true thing that `condition` gives. Fails, saying `what` was waited for, after `seconds`.

    It is asked again `every` so many seconds; more, where asking takes from what is waited for the time that it costs.
    """
    deadline = monotonic() + seconds
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        await asyncio.sleep(every)
