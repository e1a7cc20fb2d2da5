"""The archive follows the log on a real nats-server, through whatever stops it, and agrees with it."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.archive import (
    BrokenArchive,
    Shelf,
    keeping,
    verify_chain,
)
from dispatch.archive.records import Record
from dispatch.cases import AddNote, Case, CaseDesk
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.events import CASES, IncidentBook, follow
from dispatch.events.stopping import end_if_stopping
from dispatch.identifiers import CaseId, CommitId
from tests.archives import SETTINGS, SITE, archiving, caught_up, lived
from tests.village import Village
from tests.waiting import until
from tests.workers import working


async def test_the_archive_follows_the_log_and_agrees_with_it(village: Village, tmp_path: Path) -> None:
    async with archiving(village.nc, tmp_path):
        await lived(village)
        await until(partial(caught_up, village.nc, tmp_path), "the archive to have caught up")
    verified = await verify_chain(village.nc, tmp_path)
    info = await village.nc.jetstream().stream_info(CASES)
    assert verified.heads[CASES].records == info.state.messages > 0


async def test_what_comes_in_quick_succession_is_written_together(
    village: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "GATHER_SECONDS", 1.0)
    written: list[int] = []
    append = Shelf.append

    def count(shelf: Shelf, records: Sequence[Record]) -> None:
        append(shelf, records)
        written.append(len(records))

    monkeypatch.setattr(Shelf, "append", count)
    async with working(village, SETTINGS):
        case = await village.press()
        await village.finished(case)
    async with archiving(village.nc, tmp_path):
        await until(partial(caught_up, village.nc, tmp_path), "the archive to have caught up")
        before, desk = len(written), CaseDesk(village.log)
        for number in range(20):
            note = AddNote(id=CommitId(f"n-{number}"), at=now(), author="operator:op", text=str(number))
            await desk.handle(case, note)
        await until(partial(caught_up, village.nc, tmp_path), "the notes to be written")
    assert sum(written[before:]) == 20
    assert len(written) - before <= 3


async def test_a_full_batch_is_written_at_once_so_that_an_archive_that_is_behind_catches_up(
    village: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "GATHER_SECONDS", 3600.0)
    monkeypatch.setattr(keeping, "BATCH", 4)
    async with working(village, SETTINGS):
        case = await village.press()
        await village.finished(case)
    desk = CaseDesk(village.log)
    for number in range(20):
        note = AddNote(id=CommitId(f"n-{number}"), at=now(), author="operator:op", text=str(number))
        await desk.handle(case, note)
    end = (await village.nc.jetstream().stream_info(CASES)).state.last_seq
    async with archiving(village.nc, tmp_path):
        await until(partial(moved_on, tmp_path, end - keeping.BATCH), "all full batches to be written")


async def test_an_archivist_that_was_killed_goes_on_where_the_archive_ends(
    village: Village, fresh_nats: EmbeddedNats, tmp_path: Path
) -> None:
    script = (
        "import asyncio, pathlib\n"
        "from dispatch.archive import Archivist\n"
        "from dispatch.events import connect\n"
        "async def main():\n"
        f"    nc = await connect({fresh_nats.url!r}, 'archivist')\n"
        f"    await Archivist(nc, {SITE!r}, pathlib.Path({str(tmp_path)!r})).run()\n"
        "asyncio.run(main())\n"
    )
    async with working(village, SETTINGS):
        case = await village.press()
        await village.finished(case)
    noting = asyncio.create_task(noted_for_ever(village, case))
    try:
        for _ in range(3):
            before = Shelf(tmp_path / CASES).head.seq
            archivist = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
            await until(partial(moved_on, tmp_path, before), "the archive to have grown")
            archivist.kill()
            await archivist.wait()
    finally:
        noting.cancel()
        await asyncio.wait({noting})
    async with archiving(village.nc, tmp_path):
        await until(partial(agrees, village.nc, tmp_path), "the archive to agree with the log, the last note in it")


async def agrees(nc: Client, folder: Path) -> bool:
    return await caught_up(nc, folder) and (await verify_chain(nc, folder)).behind == 0


async def noted_for_ever(village: Village, case: CaseId) -> None:
    desk = CaseDesk(village.log)
    for number in itertools.count():
        end_if_stopping()
        note = f"n-{number}"
        await desk.handle(case, AddNote(id=CommitId(note), at=now(), author="operator:op", text=note))


async def moved_on(folder: Path, before: int) -> bool:
    return (folder / CASES / "head.json").exists() and Shelf(folder / CASES).head.seq > before


async def test_an_archive_of_another_log_is_an_incident_and_is_left_as_it_is(
    village: Village, elsewhere: Client, tmp_path: Path
) -> None:
    async with archiving(village.nc, tmp_path):
        await lived(village)
        await until(partial(caught_up, village.nc, tmp_path), "the archive to have caught up")
    with pytest.raises(BrokenArchive, match="but the log ends at 0"):
        await verify_chain(elsewhere, tmp_path)
    head = Shelf(tmp_path / CASES).head
    async with archiving(elsewhere, tmp_path):
        book = IncidentBook(elsewhere, SITE)
        told = await until(lambda: book.told("archive.>"), "an incident")
    assert "but the log ends at 0" in told["archive.log"].detail
    assert Shelf(tmp_path / CASES).head == head


async def test_an_archive_that_is_not_there_does_not_agree_with_the_log(village: Village, tmp_path: Path) -> None:
    await lived(village)
    verified = await verify_chain(village.nc, tmp_path)
    assert verified.behind > 0, "what is seconds old may still be on its way"
    none = mock.patch("dispatch.archive.verify.PATIENCE", timedelta())
    with none, pytest.raises(BrokenArchive, match="stands still"):
        await verify_chain(village.nc, tmp_path)


async def test_two_archivists_on_one_folder_take_turns(
    village: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PAUSE_SECONDS", 0.05)
    opened, tries = keeping._opened, 0

    def counted(folder: Path, stack: ExitStack) -> Shelf:
        nonlocal tries
        tries += 1
        return opened(folder, stack)

    monkeypatch.setattr(keeping, "_opened", counted)

    async def tried_again() -> bool:
        return tries > 4

    async with AsyncExitStack() as second:
        async with archiving(village.nc, tmp_path):
            _, still_open = await lived(village)
            await until(partial(caught_up, village.nc, tmp_path), "the first to have written")
            await second.enter_async_context(archiving(village.nc, tmp_path))
            await until(tried_again, "the second to have tried")
            await noted(village, still_open, tmp_path, "while both run")
        await noted(village, still_open, tmp_path, "while the second runs")
    assert (await verify_chain(village.nc, tmp_path)).behind == 0
    assert list(Shelf(tmp_path / CASES).records(whole=True)), "nor is there anything behind the end"


async def noted(village: Village, case: Case, folder: Path, note: str) -> None:
    """A few notes, each of which the archive has before the next."""
    for number in range(3):
        command = AddNote(id=CommitId(f"{note}-{number}"), at=now(), author="operator:op", text=note)
        await CaseDesk(village.log).handle(case.id, command)
        await until(partial(caught_up, village.nc, folder), f"the archive to have the note, {note}")


async def test_an_odd_file_stops_the_archive_with_an_incident_and_nothing_else(
    village: Village, tmp_path: Path
) -> None:
    async with archiving(village.nc, tmp_path):
        await lived(village)
        await until(partial(caught_up, village.nc, tmp_path), "the archive to have caught up")
    (segment,) = (tmp_path / CASES).glob("*/*.jsonl")
    segment.with_name("000000000001 (copy).jsonl").write_bytes(segment.read_bytes())
    async with archiving(village.nc, tmp_path):
        told = await until(lambda: IncidentBook(village.nc, SITE).told("archive.>"), "an incident")
    assert "is no file of the archive" in told["archive.log"].detail


async def test_a_reading_that_dies_of_what_nobody_expected_is_begun_again(
    village: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = itertools.count()

    async def dying(*args: Any, **position: Any) -> AsyncIterator[Msg]:
        if next(readings) == 0:
            raise RuntimeError("nobody expected it")
        async for message in follow(*args, **position):
            yield message

    monkeypatch.setattr(keeping, "follow", dying)
    monkeypatch.setattr(keeping, "PAUSE_SECONDS", 0.1)
    async with archiving(village.nc, tmp_path):
        await lived(village)
        await until(partial(caught_up, village.nc, tmp_path), "the archive to have caught up")
    assert next(readings) >= 2
