"""Proving that archive and log agree, and that a backup is as it was made."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
from nats.aio.client import Client

from dispatch.archive.backup import CONTENTS, STREAMS, BackedUp, Progress
from dispatch.archive.reading import held, records_of
from dispatch.archive.records import Record
from dispatch.archive.shelf import BrokenArchive, Head, Shelf
from dispatch.clock import now
from dispatch.errors import Malformed
from dispatch.events import CASES

PATIENCE = timedelta(minutes=1)
"""How long the newest may wait to be archived."""
SEAL_LENGTH = 64
"""Characters: SHA-256 in hexadecimal."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and found whole: the head of each chain, and how many records the log has behind its own."""

    heads: dict[str, Head]
    behind: int = 0


async def verify_chain(nc: Client, folder: Path, progress: Progress = lambda *_: None) -> Verified:
    """Compare the archive in `folder` with the log, record by record.

    Raises `BrokenArchive` with the place of the first difference, `Unavailable` when NATS does not answer.
    """
    shelf = Shelf(folder / CASES)
    messages, last = await held(nc, CASES)
    if shelf.head.seq > last:
        raise BrokenArchive(f"{folder / CASES} reaches sequence {shelf.head.seq}, but the log ends at {last}")
    archived, done = shelf.records(), 0
    async for record in records_of(nc, CASES, last=shelf.head.seq):
        kept = next(archived, None)
        if kept != record:
            raise BrokenArchive(_difference(folder / CASES, kept, record))
        done += 1
        if done % 1000 == 0:
            progress(CASES, done, shelf.head.records)
    if (kept := next(archived, None)) is not None:
        raise BrokenArchive(f"{folder / CASES}: sequence {kept.seq} is in the archive, but not in the log")
    progress(CASES, done, done)
    async for record in records_of(nc, CASES, after=shelf.head.seq, last=shelf.head.seq + 1 if messages > done else 0):
        if now() - record.at > PATIENCE:
            raise BrokenArchive(
                f"{folder / CASES} ends at sequence {shelf.head.seq}, but sequence {record.seq} of the log was written "
                f"at {record.at.isoformat(timespec='seconds')}: the archive stands still, was cut, or is another folder"
            )
    return Verified(heads={CASES: shelf.head}, behind=messages - done)


def verify_backup(
    folder: Path, *, seal: str | None = None, progress: Progress = lambda *_: None
) -> tuple[BackedUp, Verified]:
    """Check every chain of the backup in `folder`, against what it says of itself and, when given, its `seal`.

    Raises `BrokenArchive` with the place of the first record that is not as it was written, `Malformed` for a `seal`
    that can be none.
    """
    if seal is not None:
        _require_whole(seal)
    made = _contents(folder)
    for stream in STREAMS:
        shelf = _shelf(folder, stream, made)
        for done, _ in enumerate(shelf.records(whole=True), start=1):
            if done % 1000 == 0:
                progress(stream, done, shelf.head.records)
    if seal is not None and seal != made.seal:
        raise BrokenArchive(f"{folder}: the seal is {made.seal}, and not {seal}: it is another backup, or was changed")
    return made, Verified(heads=made.streams)


def _require_whole(seal: str) -> None:
    if len(seal) != SEAL_LENGTH:
        how = "short" if len(seal) < SEAL_LENGTH else "long"
        wrong = f"is too {how}: a seal is {SEAL_LENGTH} characters, and this has {len(seal)}"
    elif not set(seal) <= set("0123456789abcdef"):
        wrong = "is not a seal: it is written with 0 to 9 and a to f"
    else:
        return
    raise Malformed(f"--seal {seal[:80]!r} {wrong}; `dispatch backup` printed it", field="seal")


def _contents(folder: Path) -> BackedUp:
    path = folder / CONTENTS
    try:
        made = msgspec.json.decode(path.read_bytes(), type=BackedUp)
    except FileNotFoundError:
        raise BrokenArchive(f"{path} is missing: {folder} is no backup, or one that was not finished") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenArchive(f"{path} cannot be read: {error}") from None
    if missing := [stream for stream in STREAMS if stream not in made.streams]:
        raise BrokenArchive(f"{path} does not speak of {', '.join(missing)}")
    return made


def _shelf(folder: Path, stream: str, made: BackedUp) -> Shelf:
    shelf = Shelf(folder / stream)
    if shelf.head != made.streams[stream]:
        raise BrokenArchive(
            f"{folder / stream}: head.json speaks of {shelf.head.records} records, {CONTENTS} of "
            f"{made.streams[stream].records}: it is of another backup, or was changed"
        )
    return shelf


def _difference(folder: Path, kept: Record | None, record: Record) -> str:
    if kept is None:
        return f"{folder}: sequence {record.seq} is in the log, but not in the archive"
    if kept.seq != record.seq:
        return f"{folder}: sequence {kept.seq} of the archive stands where the log has {record.seq}"
    return f"{folder}: sequence {record.seq} is not in the log as it is in the archive"
