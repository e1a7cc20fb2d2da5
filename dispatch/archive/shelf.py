"""A chain of records in a folder: a file for each month and 64 MB, and beside them how far the chain has come.

The file `head.json` is written after the records that it speaks of: whoever cuts the end of the chain off shows by it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from dispatch.archive.records import BEGINNING, Record, Sealed, line_of, seal_of, sealed_of
from dispatch.errors import DispatchError

SEGMENT_BYTES = 64 * 1024 * 1024
HEAD = "head.json"
_SEGMENT = re.compile(r"\d{4}-\d{2}/\d{12,}\.jsonl")


class BrokenArchive(DispatchError):
    """The chain is not what was written: `detail` names the file and line."""

    type, title, status = "broken-archive", "The archive is broken / 档案已损坏", 500


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far a chain has come: the last record's sequence and seal, and how many records there are.

    `segment` is the file that holds the last one, which ends at byte `size`.
    """

    seq: int = 0
    seal: str = BEGINNING
    records: int = 0
    segment: str = ""
    size: int = 0


class Shelf:
    """The chain of one stream in `folder`. One process writes at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head = _head(folder)

    @classmethod
    def begin(cls, folder: Path) -> Self:
        """The chain in `folder`, to be written on; a new one has its head before its first record."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / HEAD).exists() and not any(folder.glob("*/*.jsonl")):
            _write_head(folder, Head())
        shelf = cls(folder)
        shelf.mend()
        return shelf

    def segments(self) -> list[Path]:
        """The files of the chain, in their order. Raises `BrokenArchive` for one that is none of them."""
        months = self.folder.iterdir() if self.folder.is_dir() else ()
        found = [path for month in months if month.is_dir() for path in month.iterdir()]
        for path in found:
            if not _SEGMENT.fullmatch(f"{path.parent.name}/{path.name}") or not path.is_file():
                raise BrokenArchive(f"{path} is no file of the archive: move it elsewhere")
        return sorted(found, key=lambda path: path.stem)

    def records(self, *, whole: bool = False) -> Iterator[Record]:
        """Every record up to the head, each seal checked; with `whole` there may be nothing behind it.

        Raises `BrokenArchive` with the place of the first record that is not as it was written, that is missing, or
        that stands where another was; also when the chain ends before its head.
        """
        seal, seq, count = BEGINNING, 0, 0
        for segment in self.segments():
            for number, line in enumerate(segment.open("rb"), start=1):
                if count == self.head.records:
                    if whole:
                        raise BrokenArchive(f"{segment}:{number} stands behind the end of the chain")
                    return  # what was written after the head was, before a crash: written again by the next
                sealed = _checked(segment, number, line, seal, seq)
                seal, seq, count = sealed.seal, sealed.record.seq, count + 1
                yield sealed.record
        if (seal, seq, count) != (self.head.seal, self.head.seq, self.head.records):
            raise BrokenArchive(
                f"{self.folder}: the chain ends with record {count} (sequence {seq}), but {self.head.records} records "
                f"up to sequence {self.head.seq} were written: its end was cut off, or head.json is of another archive"
            )

    def last(self) -> tuple[str, Sealed] | None:
        """The last record, with the seal before it; None while there is none. Raises `BrokenArchive`."""
        if not self.head.records:
            return None
        lines = (self.folder / self.head.segment).read_bytes()[: self.head.size].splitlines()
        try:
            sealed = sealed_of(lines[-1])
            before = sealed_of(lines[-2]).seal if len(lines) > 1 else self._seal_before(self.head.segment)
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError) as error:
            raise BrokenArchive(f"{self.folder / self.head.segment} cannot be read: {error}") from None
        return before, sealed

    def _seal_before(self, segment: str) -> str:
        """The seal with which the file before `segment` ends."""
        earlier = [path for path in self.segments() if path.stem < Path(segment).stem]
        return sealed_of(earlier[-1].read_bytes().splitlines()[-1]).seal if earlier else BEGINNING

    def append(self, records: Sequence[Record]) -> None:
        """Add `records` durably. Raises `OSError` when they cannot be written; then none of them count."""
        start = 0
        while start < len(records):
            path = self._segment_for(records[start])
            start = self._write(path, records, start)

    def mend(self) -> None:
        """Take away what a crash left behind the head. Raises `BrokenArchive` when the chain does not reach it."""
        last = self.folder / self.head.segment
        if self.head.records and (not last.is_file() or last.stat().st_size < self.head.size):
            raise BrokenArchive(f"{last} ends before byte {self.head.size}, to which it was written: it was cut off")
        for segment in self.segments():
            if segment == last:
                os.truncate(segment, self.head.size)
            elif not self.head.segment or int(segment.stem) > self.head.seq:
                segment.unlink()

    def _segment_for(self, record: Record) -> Path:
        month = f"{record.at:%Y-%m}"
        segments = self.segments()
        if segments and segments[-1].parent.name == month and segments[-1].stat().st_size < SEGMENT_BYTES:
            return segments[-1]
        # A clock that was put back must not put a record before those that are there: the name is the sequence.
        folder = self.folder / month
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{record.seq:012}.jsonl"

    def _write(self, path: Path, records: Sequence[Record], start: int) -> int:
        """Write what belongs into the file at `path`; gives where the rest begins."""
        head, lines, end = self.head, [], start
        month = path.parent.name
        while end < len(records) and f"{records[end].at:%Y-%m}" == month:
            seal = seal_of(records[end], head.seal)
            lines.append(line_of(Sealed(records[end], seal)))
            head = Head(seq=records[end].seq, seal=seal, records=head.records + 1)
            end += 1
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            size = file.tell()
            try:
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), size)
                raise
            size = file.tell()
        self.head = msgspec.structs.replace(head, segment=f"{month}/{path.name}", size=size)
        _write_head(self.folder, self.head)
        return end


def _checked(segment: Path, number: int, line: bytes, before: str, seq: int) -> Sealed:
    place = f"{segment}:{number}"
    try:
        sealed = sealed_of(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenArchive(f"{place} cannot be read: {error}") from None
    if seal_of(sealed.record, before) != sealed.seal or line_of(sealed) != line:
        raise BrokenArchive(
            f"{place} (sequence {sealed.record.seq}) is not the record that was written behind sequence {seq}: "
            "it was edited, or one before it is missing or stands elsewhere"
        )
    if sealed.record.seq <= seq:
        raise BrokenArchive(f"{place} has sequence {sealed.record.seq}, which is not behind {seq}")
    return sealed


def _head(folder: Path) -> Head:
    path = folder / HEAD
    try:
        return msgspec.json.decode(path.read_bytes(), type=Head, strict=True)
    except FileNotFoundError:
        if any(folder.glob("*/*.jsonl")):
            raise BrokenArchive(f"{path} is missing, but there are records") from None
        return Head()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenArchive(f"{path} cannot be read: {error}") from None


def _write_head(folder: Path, head: Head) -> None:
    draft = folder / ".head.json"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(head))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / HEAD)
    for changed in {folder, (folder / head.segment).parent if head.segment else folder}:
        _sync(changed)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
