"""The same for many, some at a time: of a storm's thousand cases the last would wait for all before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

AT_ONCE = 128

What = TypeVar("What")
Result = TypeVar("Result")


async def in_batches(do: Callable[[What], Awaitable[Result]], what: Sequence[What]) -> list[Result]:
    """What `do` gives for each of `what`, in their order, `AT_ONCE` of them at a time.

    Raises what the first that failed has raised, once all have ended that were begun with it; no other is begun then.
    """
    done: list[Result] = []
    for start in range(0, len(what), AT_ONCE):
        for one in await asyncio.gather(*map(do, what[start : start + AT_ONCE]), return_exceptions=True):
            if isinstance(one, BaseException):
                raise one
            done.append(one)
    return done
