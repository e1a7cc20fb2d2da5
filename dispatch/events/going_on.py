"""Work in the background that others rely on, and of whose death nobody would hear."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

AGAIN_SECONDS = 1.0


async def going_on(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """`work` until cancelled: what goes wrong is logged, and it is begun again after a second."""
    while True:
        try:
            await work()
        except Exception:  # whatever it is, somebody relies on it
            log.exception("task.failed", task=name)
        await asyncio.sleep(AGAIN_SECONDS)
