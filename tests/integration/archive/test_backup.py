"""Backups on real nats-servers: all that a site is goes in, and whatever was done to one afterwards shows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from dispatch.archive import (
    BrokenArchive,
    Shelf,
    backup,
    verify_backup,
)
from dispatch.archive.backup import STREAMS
from dispatch.archive.records import Record
from dispatch.clock import now
from dispatch.errors import Conflict
from dispatch.events import CASES, TOKENS
from tests import commands
from tests.archives import SITE, lived, restored
from tests.village import Village


async def test_a_folder_that_is_not_empty_is_left_alone(nc: Client, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Conflict, match="name a new folder"):
        await backup(nc, tmp_path)


def edited(folder: Path) -> str:
    (segment,) = (folder / CASES).glob("*/*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"a slip", b"a joke"))
    return segment.name


def truncated(folder: Path) -> str:
    (segment,) = (folder / "KV_ROSTER").glob("*/*.jsonl")
    segment.write_bytes(segment.read_bytes()[:-20])
    return segment.name


def of_another(folder: Path) -> str:
    """A chain that is whole, but shorter than the backup says."""
    shelf = Shelf(folder / CASES)
    records = list(shelf.records())[:-1]
    for path in shelf.segments():
        path.unlink()
    (folder / CASES / "head.json").unlink()
    Shelf(folder / CASES).append(records)
    return "backup.json"


def without_contents(folder: Path) -> str:
    (folder / "backup.json").unlink()
    return "backup.json"


@pytest.mark.parametrize("harm", [edited, truncated, of_another, without_contents])
async def test_a_backup_that_was_changed_is_refused_before_anything_is_written(
    village: Village, elsewhere: Client, tmp_path: Path, harm: Callable[[Path], str]
) -> None:
    await lived(village)
    await backup(village.nc, tmp_path / "copy")
    place = harm(tmp_path / "copy")
    with pytest.raises(BrokenArchive) as verifying:
        verify_backup(tmp_path / "copy")
    with pytest.raises(BrokenArchive) as restoring:
        await restored(elsewhere, tmp_path / "copy")
    assert place in verifying.value.detail == restoring.value.detail
    infos = [await elsewhere.jetstream().stream_info(stream) for stream in STREAMS]
    assert [info.state.messages for info in infos] == [0] * len(STREAMS)


@pytest.mark.parametrize("stream", STREAMS)
async def test_a_backup_made_anew_over_a_changed_past_shows_by_its_seal(
    village: Village, tmp_path: Path, stream: str
) -> None:
    await village.press()
    made = await backup(village.nc, tmp_path / "copy")
    assert verify_backup(tmp_path / "copy", seal=made.seal)
    made_anew(tmp_path / "copy", stream)
    assert verify_backup(tmp_path / "copy"), "it is whole in itself"
    with pytest.raises(BrokenArchive, match="the seal is"):
        verify_backup(tmp_path / "copy", seal=made.seal)


def made_anew(folder: Path, stream: str) -> None:
    """The chain of `stream` with one record more, and everything that speaks of it as if it had been so."""
    shelf = Shelf(folder / stream)
    last = list(shelf.records())[-1] if shelf.head.records else Record(seq=0, subject="kind.site.name", at=now())
    shelf.append([msgspec.structs.replace(last, seq=last.seq + 1)])
    contents = msgspec.json.decode((folder / "backup.json").read_bytes())
    contents["streams"][stream] = msgspec.to_builtins(shelf.head)
    (folder / "backup.json").write_bytes(msgspec.json.encode(contents))


async def test_a_key_that_is_written_anew_while_its_bucket_is_copied_is_in_the_backup(
    nc: Client, tmp_path: Path
) -> None:
    bucket = await nc.jetstream().key_value(TOKENS)
    for number in range(3000):
        await nc.publish(f"$KV.{TOKENS}.{SITE}.k{number}", b"old")
    await nc.flush()
    await bucket.put(f"{SITE}.k2999", b"old")
    changing: list[asyncio.Task[object]] = []

    def told(stream: str, done: int, _total: int) -> None:
        if stream == f"KV_{TOKENS}" and done and not changing:
            changing.append(asyncio.ensure_future(bucket.put(f"{SITE}.k2500", b"new")))

    await backup(nc, tmp_path / "copy", told)
    await asyncio.gather(*changing)
    values = {record.subject: record.data for record in Shelf(tmp_path / "copy" / f"KV_{TOKENS}").records()}
    assert values[f"$KV.{TOKENS}.{SITE}.k2500"] == "new"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("notes.txt", "notes.txt is a file: name a new folder"),
        ("full", "there is something in {folder}/full already: name a new folder"),
        ("notes.txt/below", "notes.txt/below cannot be written: Not a directory; name another folder"),
    ],
)
async def test_a_backup_that_has_nowhere_to_go_says_so_and_changes_nothing(
    tmp_path: Path, nats_url: str, place: str, said: str
) -> None:
    (tmp_path / "full").mkdir()
    for file in ("notes.txt", "full/notes.txt"):
        (tmp_path / file).write_text("mine")
    environment = os.environ | {"DISPATCH_NATS_URL": nats_url, "DISPATCH_DATA": str(tmp_path / "data")}
    code, output, errors = await commands.dispatch("backup", tmp_path / place, env=environment)
    assert (code, output) == (1, "")
    assert said.format(folder=tmp_path) in errors
    there = {str(path.relative_to(tmp_path)): path.is_file() and path.read_text() for path in tmp_path.rglob("*")}
    assert there == {"full": False, "notes.txt": "mine", "full/notes.txt": "mine"}
