"""The archive, backup and restore on real nats-servers: what comes back is what was, and nobody is called for it."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest import mock

import msgspec
import pytest
from nats.aio.client import Client

from dispatch.access import load_keys
from dispatch.archive import (
    Archivist,
    BrokenArchive,
    Shelf,
    backup,
    hold_open_cases,
    keeping,
    restore,
    verify_backup,
    verify_chain,
)
from dispatch.archive.backup import STREAMS
from dispatch.archive.records import Record
from dispatch.cases import AddNote, Cancel, Case, CaseDesk, waits_for
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.errors import Conflict
from dispatch.events import CASES, DLQ, TOKENS, CaseLog, IncidentBook, connect, ensure_streams
from dispatch.events.stopping import end_if_stopping
from dispatch.fanout import place_behind
from dispatch.identifiers import CaseId, CommitId
from dispatch.roster import Roster
from dispatch.settings import Settings
from tests.servers import open_folder
from tests.village import Village, until, village_of
from tests.workers import working

SITE = "s1"
SETTINGS = Settings(site=SITE, private_push_endpoints=True)


@asynccontextmanager
async def connected(server: EmbeddedNats) -> AsyncIterator[Client]:
    client = await connect(server.url, "test")
    await ensure_streams(client.jetstream())
    yield client
    await client.close()


@pytest.fixture
async def nc(fresh_nats: EmbeddedNats) -> AsyncIterator[Client]:
    async with connected(fresh_nats) as client:
        yield client


@pytest.fixture
async def elsewhere() -> AsyncIterator[Client]:
    """Another nats-server, with nothing on it."""
    with open_folder() as folder:
        async with EmbeddedNats(folder) as server, connected(server) as client:
            yield client


@pytest.fixture
async def village(nc: Client) -> AsyncIterator[Village]:
    async with village_of(nc, SITE, 3) as made:
        yield made


@asynccontextmanager
async def archiving(nc: Client, folder: Path) -> AsyncIterator[None]:
    task = asyncio.create_task(Archivist(nc, SITE, folder).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def lived(village: Village) -> tuple[Case, Case]:
    """A case that was cancelled and one that is open, everybody called and told."""
    async with working(village, SETTINGS):
        first = await village.press()
        await village.finished(first)
        cancel = Cancel(id=CommitId("c"), at=now(), by="operator:op", reason="a slip")
        await CaseDesk(village.log).handle(first, cancel)
        await until(partial(told_over, village), "everybody to be told that it is over")
        second = await village.press()
        await village.finished(second)
    return await village.case(first), await village.case(second)


async def told_over(village: Village) -> bool:
    return all(len(rings) >= 2 for rings in village.rings())


async def of(nc: Client, case: CaseId) -> Case:
    return await CaseDesk(CaseLog(nc, SITE)).load(case)


async def restored(nc: Client, folder: Path, seal: str | None = None) -> None:
    await restore(nc, folder, seal=seal, place=partial(place_behind, nc))


async def test_what_was_backed_up_comes_back_elsewhere_and_nobody_is_called(
    village: Village, elsewhere: Client, tmp_path: Path
) -> None:
    closed, still_open = await lived(village)
    made = await backup(village.nc, tmp_path / "copy")
    before = village.rings()
    await restored(elsewhere, tmp_path / "copy", made.seal)
    assert await of(elsewhere, closed.id) == closed
    assert await of(elsewhere, still_open.id) == still_open
    assert await Roster(elsewhere, SITE).household(closed.alarm.household) is not None
    assert (await load_keys(elsewhere, SITE)).link_secret == (await load_keys(village.nc, SITE)).link_secret
    there = Village(elsewhere, SITE)
    async with working(there, SETTINGS):
        # What comes after is called and told; so the worker has passed by all that was restored.
        await CaseDesk(there.log).handle(still_open.id, Cancel(id=CommitId("c2"), at=now(), by="operator:op"))
        third = await there.press()
        await there.finished(third)
    assert [rings[len(was) :].count("over") for rings, was in zip(words(village), before, strict=True)] == [1, 1, 1]
    assert [len(rings) - len(was) for rings, was in zip(village.rings(), before, strict=True)] == [2, 2, 2]


def words(village: Village) -> list[list[str]]:
    return [[json.loads(one.body)["data"]["word"] for one in receiver.requests] for receiver in village.receivers]


async def test_a_backup_of_what_was_restored_has_the_same_seal(
    village: Village, elsewhere: Client, tmp_path: Path
) -> None:
    await lived(village)
    first = await backup(village.nc, tmp_path / "first")
    await restored(elsewhere, tmp_path / "first")
    second = await backup(elsewhere, tmp_path / "second")
    assert second.streams[CASES] == first.streams[CASES]


async def test_a_nats_that_is_not_empty_is_left_alone(village: Village, tmp_path: Path) -> None:
    await backup(village.nc, tmp_path / "copy")
    with pytest.raises(Conflict, match="is not empty"):
        await restored(village.nc, tmp_path / "copy")


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
    last = list(shelf.records())[-1] if shelf.head.records else Record(seq=0, subject="x", at=now())
    shelf.append([msgspec.structs.replace(last, seq=last.seq + 1)])
    contents = msgspec.json.decode((folder / "backup.json").read_bytes())
    contents["streams"][stream] = msgspec.to_builtins(shelf.head)
    (folder / "backup.json").write_bytes(msgspec.json.encode(contents))


async def test_the_archive_follows_the_log_and_agrees_with_it(village: Village, tmp_path: Path) -> None:
    async with archiving(village.nc, tmp_path):
        await lived(village)
        await until(partial(caught_up, village.nc, tmp_path), "the archive to have caught up")
    verified = await verify_chain(village.nc, tmp_path)
    info = await village.nc.jetstream().stream_info(CASES)
    assert verified.heads[CASES].records == info.state.messages > 0


async def caught_up(nc: Client, folder: Path) -> bool:
    info = await nc.jetstream().stream_info(CASES)
    return (folder / CASES / "head.json").exists() and Shelf(folder / CASES).head.seq == info.state.last_seq


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


async def test_dead_letters_keep_their_marks_and_none_is_lost(nc: Client, elsewhere: Client, tmp_path: Path) -> None:
    js = nc.jetstream()
    for name in ("a", "b", "c"):
        await js.publish(f"dlq.{SITE}.calls", name.encode(), headers={"Nats-Msg-Id": name})
    await js.delete_msg(DLQ, 1)
    await js.publish(f"dlq.{SITE}.mark.3", b"retried")
    await backup(nc, tmp_path / "copy")
    await restored(elsewhere, tmp_path / "copy")
    info = await elsewhere.jetstream().stream_info(DLQ)
    there = [await elsewhere.jetstream().get_msg(DLQ, seq) for seq in range(1, info.state.last_seq + 1)]
    assert [(one.subject, one.data) for one in there] == [
        (f"dlq.{SITE}.calls", b"b"),
        (f"dlq.{SITE}.calls", b"c"),
        (f"dlq.{SITE}.mark.2", b"retried"),
    ]


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


async def test_what_comes_back_open_is_held_so_that_it_can_be_closed_first(
    village: Village, elsewhere: Client, tmp_path: Path
) -> None:
    closed, still_open = await lived(village)
    await backup(village.nc, tmp_path / "copy")
    await restored(elsewhere, tmp_path / "copy")
    at = now()
    assert await hold_open_cases(elsewhere, tmp_path / "copy", at) == [still_open.id]
    wait = waits_for(await of(elsewhere, still_open.id))
    assert wait is not None
    assert (wait.what, wait.until) == ("operator", at + timedelta(minutes=30))
    assert await of(elsewhere, closed.id) == closed
