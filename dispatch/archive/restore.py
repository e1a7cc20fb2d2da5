"""Restoring a backup into an empty NATS: checked whole before anything is written, and nobody is called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from dispatch.archive.backup import STREAMS, BackedUp, Progress
from dispatch.archive.reading import held
from dispatch.archive.records import Record
from dispatch.archive.shelf import BrokenArchive, Shelf
from dispatch.archive.verify import verify_backup
from dispatch.errors import Conflict, Unavailable
from dispatch.events import AUDIT, CASES, DLQ
from dispatch.events.codec import STORED_AT

AT_ONCE = 256
BOUND = ("Nats-Expected-", "Nats-Msg-Id")
"""What a message was stored under, which says nothing elsewhere but where the sequences are the same."""
KEEPS_SEQUENCES = frozenset({CASES, AUDIT})
"""Nothing is ever deleted in them, so that what was stored third is third again."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: how many messages of each stream, and what the backup says of itself."""

    made: BackedUp
    messages: dict[str, int]


async def restore(
    nc: Client,
    folder: Path,
    *,
    seal: str | None = None,
    place: Callable[[str, int], Awaitable[None]],
    progress: Progress = lambda *_: None,
) -> Restored:
    """Bring the backup in `folder` back. Streams must be there and empty.

    Before that `place` is told each site that is in it and the last sequence of its log, so that whoever acts on
    commits begins behind what is restored: nothing of it rings or is told again.
    Raises `BrokenArchive` when the backup is not as it was made (or its seal is not `seal`), `Conflict` when a stream
    is not empty; nothing is written then. Raises `Unavailable` when NATS does not answer: empty it, and begin again.
    """
    made, _ = await asyncio.to_thread(verify_backup, folder, seal=seal, progress=lambda *_: None)
    await _require_empty(nc)
    for site in await asyncio.to_thread(_sites, Shelf(folder / CASES)):
        await place(site, made.streams[CASES].seq)
    messages = {}
    for stream in STREAMS:
        messages[stream] = await _bring_back(nc, stream, Shelf(folder / stream), progress)
    return Restored(made=made, messages=messages)


async def _require_empty(nc: Client) -> None:
    for stream in STREAMS:
        _, last = await held(nc, stream)
        if last:
            raise Conflict(
                f"stream {stream} is not empty (it has come to sequence {last}): restore into a NATS of its own, "
                "before any part of dispatch has run on it"
            )


def _sites(shelf: Shelf) -> set[str]:
    return {record.subject.split(".")[1] for record in shelf.records()}


async def _bring_back(nc: Client, stream: str, shelf: Shelf, progress: Progress) -> int:
    done, waiting, numbers = 0, list[Record](), dict[int, int]()
    for record in shelf.records():
        if stream == DLQ:
            if (letter := _of_letter(record, numbers)) is not None:
                numbers[record.seq] = await _publish(nc, stream, [letter])
            continue
        waiting.append(record)
        if len(waiting) == AT_ONCE:
            await _publish(nc, stream, waiting)
            done += len(waiting)
            waiting.clear()
            progress(stream, done, shelf.head.records)
    await _publish(nc, stream, waiting)
    progress(stream, shelf.head.records, shelf.head.records)
    return shelf.head.records


def _of_letter(record: Record, numbers: Mapping[int, int]) -> Record | None:
    """A dead letter as it is, a mark on the letter that has a new number; None for a mark whose letter is gone."""
    head, _, number = record.subject.rpartition(".mark.")
    if not head:
        return record
    letter = numbers.get(int(number)) if number.isdigit() else None
    return msgspec.structs.replace(record, subject=f"{head}.mark.{letter}") if letter is not None else None


async def _publish(nc: Client, stream: str, records: Sequence[Record]) -> int:
    """Store `records` in their order, which one connection keeps; gives the last one's number."""
    js = nc.jetstream()
    try:
        acknowledged = await asyncio.gather(
            *(js.publish(record.subject, record.body(), headers=_headers(stream, record)) for record in records)
        )
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable(f"stream {stream} did not take what was restored: {error!r}") from error
    for record, ack in zip(records, acknowledged, strict=True):
        if ack.duplicate or (stream in KEEPS_SEQUENCES and ack.seq != record.seq):
            raise BrokenArchive(
                f"sequence {record.seq} of {stream} came back as {ack.seq}: somebody else wrote to it meanwhile, or "
                "the backup does not hold its beginning"
            )
    return acknowledged[-1].seq if acknowledged else 0


def _headers(stream: str, record: Record) -> dict[str, str]:
    kept = {
        name: value for name, value in record.headers.items() if stream in KEEPS_SEQUENCES or not name.startswith(BOUND)
    }
    return kept | {STORED_AT: record.at.isoformat()}
