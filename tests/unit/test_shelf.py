"""A chain of records: what was written is read, and whatever was done to it afterwards is named with its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dispatch.archive import BrokenArchive, Shelf, verify_backup
from dispatch.archive import shelf as shelves
from dispatch.archive.records import BEGINNING, Record

START = datetime(2026, 11, 30, 23, 59, 58, tzinfo=UTC)


def record(seq: int) -> Record:
    return Record(
        seq=seq, subject=f"cases.s.h.c-{seq}", at=START + timedelta(seconds=seq), headers={"ce-id": str(seq)}, data="{}"
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Five records, over the end of a month."""
    written = Shelf(tmp_path)
    written.append([record(1)])
    written.append([record(seq) for seq in range(2, 6)])
    return Shelf(tmp_path)


def test_records_come_back_as_they_were_month_by_month(shelf: Shelf) -> None:
    assert list(shelf.records()) == [record(seq) for seq in range(1, 6)]
    assert [str(path.relative_to(shelf.folder)) for path in shelf.segments()] == [
        "2026-11/000000000001.jsonl",
        "2026-12/000000000002.jsonl",
    ]
    assert (shelf.head.seq, shelf.head.records) == (5, 5)


def test_bytes_that_are_no_text_come_back_too(tmp_path: Path) -> None:
    odd = Record(seq=1, subject="cases.s.h.c", at=START, data64="//4A")
    Shelf(tmp_path).append([odd])
    (back,) = Shelf(tmp_path).records()
    assert back.body() == b"\xff\xfe\x00"


@pytest.mark.parametrize(("written", "forged"), [(b'"//4A"', b'"//4"'), (b'"cases.s.h.c"', b'"cases"')])
def test_a_record_that_is_sealed_well_and_holds_nonsense_is_refused(
    tmp_path: Path, written: bytes, forged: bytes
) -> None:
    Shelf(tmp_path).append([Record(seq=1, subject="cases.s.h.c", at=START, data64="//4A")])
    (segment,) = Shelf(tmp_path).segments()
    inside = msgspec.json.encode(msgspec.json.decode(segment.read_bytes())["record"]).replace(written, forged)
    seal = hashlib.sha256(BEGINNING.encode() + inside).hexdigest()
    segment.write_bytes(b'{"record":' + inside + b',"seal":"' + seal.encode() + b'"}\n')
    with pytest.raises(BrokenArchive, match=f"{segment.name}:1 cannot be read"):
        list(Shelf(tmp_path).records())


def test_a_full_file_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "SEGMENT_BYTES", 200)
    shelf = Shelf(tmp_path)
    for seq in range(2, 8):
        shelf.append([record(seq)])
    assert len(shelf.segments()) > 1
    assert [one.seq for one in Shelf(tmp_path).records()] == list(range(2, 8))
    before, last = shelf.last() or ("", None)
    assert last is not None
    assert last.record == record(7)
    assert before != last.seal


def test_what_a_crash_left_behind_the_head_is_written_again(shelf: Shelf) -> None:
    last = shelf.segments()[-1]
    whole = last.read_bytes()
    last.write_bytes(whole + whole[-120:-60])
    (shelf.folder / "2027-01").mkdir()
    (shelf.folder / "2027-01" / "000000000006.jsonl").write_bytes(b'{"rec')
    assert len(list(shelf.records())) == 5
    shelf.mend()
    shelf.append([record(6)])
    assert [one.seq for one in Shelf(shelf.folder).records()] == [1, 2, 3, 4, 5, 6]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"cases.s.h.c-3", b"cases.s.h.c-9"))


def edited_head(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"ce-id":"3"', b'"ce-id":"4"'))


def reordered(path: Path) -> None:
    lines = lines_of(path)
    path.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))


def cut_in_the_middle(path: Path) -> None:
    lines = lines_of(path)
    path.write_bytes(b"".join([*lines[:1], *lines[2:]]))


def cut_at_the_end(path: Path) -> None:
    path.write_bytes(b"".join(lines_of(path)[:-1]))


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def doubled(path: Path) -> None:
    lines = lines_of(path)
    path.write_bytes(b"".join([lines[0], *lines]))


def without_a_file(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("harm", "place"),
    [
        (edited, "2026-12/000000000002.jsonl:2"),
        (edited_head, "2026-12/000000000002.jsonl:2"),
        (reordered, "2026-12/000000000002.jsonl:1"),
        (cut_in_the_middle, "2026-12/000000000002.jsonl:2"),
        (cut_at_the_end, "ends with record 4"),
        (torn, "2026-12/000000000002.jsonl:4"),
        (doubled, "2026-12/000000000002.jsonl:2"),
        (without_a_file, "ends with record 1"),
    ],
)
def test_harm_is_found_and_its_place_named(shelf: Shelf, harm: Callable[[Path], None], place: str) -> None:
    harm(shelf.segments()[-1])
    with pytest.raises(BrokenArchive) as error:
        list(Shelf(shelf.folder).records())
    assert place in error.value.detail


def test_a_missing_first_file_is_found(shelf: Shelf) -> None:
    shelf.segments()[0].unlink()
    with pytest.raises(BrokenArchive, match=r"2026-12/000000000002\.jsonl:1"):
        list(Shelf(shelf.folder).records())


def test_a_missing_head_is_found(shelf: Shelf) -> None:
    (shelf.folder / "head.json").unlink()
    with pytest.raises(BrokenArchive, match=r"head\.json is missing"):
        Shelf(shelf.folder)


@pytest.mark.parametrize("content", [b"{", b'{"seal":"\xb0"}', b'{"seq":"5"}'])
def test_a_head_or_contents_that_are_something_else_are_named(shelf: Shelf, content: bytes) -> None:
    for name, reading in (("head.json", Shelf), ("backup.json", verify_backup)):
        (shelf.folder / name).write_bytes(content)
        with pytest.raises(BrokenArchive, match=rf"{name} cannot be read"):
            reading(shelf.folder)


def test_a_chain_that_was_cut_is_not_gone_on_with(shelf: Shelf) -> None:
    cut_at_the_end(shelf.segments()[-1])
    with pytest.raises(BrokenArchive, match="was cut off"):
        Shelf(shelf.folder).mend()


def test_what_was_killed_before_its_first_head_begins_anew(tmp_path: Path) -> None:
    Shelf.begin(tmp_path)
    (tmp_path / "2026-11").mkdir()
    (tmp_path / "2026-11" / "000000000001.jsonl").write_bytes(b'{"record"')
    shelf = Shelf.begin(tmp_path)
    shelf.append([record(1)])
    assert list(Shelf(tmp_path).records()) == [record(1)]


def test_a_line_with_more_in_it_than_was_written_is_found(shelf: Shelf) -> None:
    last = shelf.segments()[-1]
    whole = last.read_bytes()
    last.write_bytes(whole.replace(b'{"record":{', b'{"by":"me","record":{', 1))
    with pytest.raises(BrokenArchive, match="cannot be read"):
        list(Shelf(shelf.folder).records())
    last.write_bytes(whole.replace(b'{"record":{', b'{ "record":{', 1))
    with pytest.raises(BrokenArchive, match="was edited"):
        list(Shelf(shelf.folder).records())


def test_behind_the_end_of_what_is_to_be_whole_there_is_nothing(shelf: Shelf) -> None:
    last = shelf.segments()[-1]
    last.write_bytes(last.read_bytes() + b"{}")
    assert len(list(Shelf(shelf.folder).records())) == 5
    with pytest.raises(BrokenArchive, match="behind the end"):
        list(Shelf(shelf.folder).records(whole=True))
