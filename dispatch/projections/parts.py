"""The log in parts, each loaded by a process of its own; and what all of them have done."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from dispatch.errors import Unavailable
from dispatch.projections.part import Done, Part, load
from dispatch.projections.projection import Projection

WORTH_A_PROCESS = 20_000
"""Messages; starting a process takes about a second."""
LONGEST_LINE = 1 << 20


def parts_of(whole: Part, processes: int | None = None) -> list[Part]:
    """`whole` in parts of about the same length, for as many processes as there are processors if not told.

    Cases that are open at the place where two parts meet are late in the second, so there are few parts.
    """
    messages = whole.until - whole.after
    wanted = processes or min(os.cpu_count() or 1, messages // WORTH_A_PROCESS)
    number = max(1, min(wanted, messages))
    edges = [whole.after + messages * place // number for place in range(number + 1)]
    return [replace(whole, after=after, until=until) for after, until in pairwise(edges)]


async def load_all(parts: Sequence[Part], done: Callable[[Done], None], projections: Sequence[Projection]) -> None:
    """Load every part, several at once in processes, one alone in this one. Raises what `load` does."""
    if len(parts) == 1:
        await load(parts[0], done, projections)
        return
    loading = [asyncio.create_task(_load_elsewhere(part, done)) for part in parts]
    try:
        await asyncio.gather(*loading)
    finally:
        for task in loading:
            task.cancel()
        await asyncio.wait(loading)


async def _load_elsewhere(part: Part, done: Callable[[Done], None]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatch.projections.part"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    given, said, complained = process.stdin, process.stdout, process.stderr
    if given is None or said is None or complained is None:
        raise AssertionError("they are pipes")
    words = asyncio.create_task(complained.read())
    try:
        given.write(msgspec.json.encode(part) + b"\n")  # it holds passwords, so it is no argument
        async for line in said:
            done(msgspec.json.decode(line, type=Done))
        if await process.wait() != 0:
            lines = (await words).decode(errors="replace").strip().splitlines()
            raise Unavailable(f"a part of the log could not be loaded: {lines[-1] if lines else process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        words.cancel()
