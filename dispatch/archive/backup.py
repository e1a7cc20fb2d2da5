"""A backup: the chains of all streams that a site needs to begin again elsewhere."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
from nats.aio.client import Client

from dispatch.archive.reading import held, records_of
from dispatch.archive.records import Record
from dispatch.archive.shelf import Head, Shelf
from dispatch.clock import now
from dispatch.errors import Conflict, Unavailable
from dispatch.events import AUDIT, CASES, DLQ, DRILLS, KEYS, ROSTER, TOKENS

STREAMS = (CASES, AUDIT, DLQ, *(f"KV_{bucket}" for bucket in (ROSTER, TOKENS, KEYS, DRILLS)))
"""What a backup holds. Presses and timers under way are not in it: they would ring again, later and wrongly."""
CONTENTS = "backup.json"
_AT_ONCE, _PASSES = 1024, 50

Progress = Callable[[str, int, int], None]


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: where each chain ended."""

    format: int = 1
    at: datetime
    streams: dict[str, Head]

    @property
    def seal(self) -> str:
        """The seal over all its chains. Kept elsewhere, it proves later that this is that backup."""
        seals = "".join(self.streams[stream].seal for stream in STREAMS)
        return hashlib.sha256(seals.encode()).hexdigest()


async def backup(nc: Client, folder: Path, progress: Progress = lambda _stream, _done, _total: None) -> BackedUp:
    """Write everything into `folder`, which must be new or empty; it holds secrets, so only its owner may read it.

    Each stream is written up to where it ended when its turn came; a bucket until nothing changed any more, for where
    a key is written anew its old value goes. `progress` is told the stream, how many of its
    messages are written, and of how many. Raises `Conflict` when `folder` is a file or there is something in it,
    `OSError` when it cannot be written, `Unavailable` when NATS does not answer.
    """
    shelves = await asyncio.to_thread(_shelves, folder)
    heads = {}
    for stream, shelf in shelves.items():
        heads[stream] = await _copy(nc, stream, shelf, progress)
    made = BackedUp(at=now(), streams=heads)
    await asyncio.to_thread(_conclude, folder / CONTENTS, made)
    return made


def _shelves(folder: Path) -> dict[str, Shelf]:
    if folder.is_file():
        raise Conflict(f"{folder} is a file: name a new folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Conflict(f"there is something in {folder} already: name a new folder")
    return {stream: Shelf.begin(folder / stream) for stream in STREAMS}


def _conclude(contents: Path, made: BackedUp) -> None:
    contents.touch(mode=0o600)
    contents.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2))


async def _copy(nc: Client, stream: str, shelf: Shelf, progress: Progress) -> Head:
    messages, last = await held(nc, stream)
    passes = _PASSES if stream.startswith("KV_") else 1
    for number in range(passes):
        waiting, after = list[Record](), shelf.head.seq
        async for record in records_of(nc, stream, after=after, last=last):
            waiting.append(record)
            if len(waiting) == _AT_ONCE:
                await asyncio.to_thread(shelf.append, waiting)
                waiting = []
                progress(stream, shelf.head.records, messages)
        await asyncio.to_thread(shelf.append, waiting)
        copied, (messages, last) = last, await held(nc, stream)
        if last == copied or number + 1 == passes == 1:
            progress(stream, shelf.head.records, shelf.head.records)
            return shelf.head
    raise Unavailable(f"{stream} is changing too fast to be copied; try again")
