"""Being cancelled for certain."""

from __future__ import annotations

import asyncio


def stopping() -> bool:
    """Whether this task was asked to stop.

    On Python 3.11 `asyncio.wait_for`, which every request to NATS goes through, forgets a cancellation that
    comes in the same moment as the answer. A loop that goes on for ever asks here too.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def end_if_stopping() -> None:
    """Raises `CancelledError` when this task was asked to stop and that was forgotten."""
    if stopping():
        raise asyncio.CancelledError
