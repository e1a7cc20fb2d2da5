"""A backup: the chains of all streams that a site needs to begin again elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
from nats.aio.client import Client

from dispatch.archive.reading import held, records_of
from dispatch.archive.records import Record
from dispatch.archive.shelf import Head, Shelf
from dispatch.clock import now
from dispatch.errors import Conflict
from dispatch.events import AUDIT, CASES, DLQ, DRILLS, KEYS, ROSTER, TOKENS

STREAMS = (CASES, AUDIT, DLQ, *(f"KV_{bucket}" for bucket in (ROSTER, TOKENS, KEYS, DRILLS)))
"""What a backup holds. Presses and timers under way are not in it: they would ring again, later and wrongly."""
CONTENTS = "backup.json"
_AT_ONCE = 1024

Progress = Callable[[str, int, int], None]


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: where each chain ended. The seal of `CASES`, kept elsewhere, proves it later."""

    format: int = 1
    at: datetime
    streams: dict[str, Head]


async def backup(nc: Client, folder: Path, progress: Progress = lambda _stream, _done, _total: None) -> BackedUp:
    """Write everything into `folder`, which must be new or empty; it holds secrets, so only its owner may read it.

    Each stream is written up to where it ended when its turn came. `progress` is told the stream, how many of its
    messages are written, and of how many. Raises `Conflict` when there is something in `folder`, `OSError` when it
    cannot be written, `Unavailable` when NATS does not answer.
    """
    shelves = await asyncio.to_thread(_shelves, folder)
    heads = {}
    for stream, shelf in shelves.items():
        heads[stream] = await _copy(nc, stream, shelf, progress)
    made = BackedUp(at=now(), streams=heads)
    await asyncio.to_thread(_conclude, folder / CONTENTS, made)
    return made


def _shelves(folder: Path) -> dict[str, Shelf]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Conflict(f"there is something in {folder} already: name a new folder")
    for stream in STREAMS:
        (folder / stream).mkdir(mode=0o700)
    return {stream: Shelf(folder / stream) for stream in STREAMS}


def _conclude(contents: Path, made: BackedUp) -> None:
    contents.touch(mode=0o600)
    contents.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2))


async def _copy(nc: Client, stream: str, shelf: Shelf, progress: Progress) -> Head:
    waiting = list[Record]()
    messages, last = await held(nc, stream)
    if messages:
        async for record in records_of(nc, stream, last=last):
            waiting.append(record)
            if len(waiting) == _AT_ONCE:
                await asyncio.to_thread(shelf.append, waiting)
                waiting.clear()
                progress(stream, shelf.head.records, messages)
    await asyncio.to_thread(shelf.append, waiting)
    progress(stream, shelf.head.records, max(messages, shelf.head.records))
    return shelf.head
