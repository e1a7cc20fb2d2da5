"""Keeping the archive: the log is followed and written down, for as long as the process runs."""

from __future__ import annotations

import asyncio
import fcntl
from contextlib import ExitStack, suppress
from pathlib import Path

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from dispatch.archive.reading import held, records_of
from dispatch.archive.records import record_of, seal_of
from dispatch.archive.shelf import BrokenArchive, Shelf
from dispatch.clock import now
from dispatch.errors import DispatchError
from dispatch.events import CASES, Incident, IncidentBook, follow
from dispatch.events.stopping import end_if_stopping
from dispatch.identifiers import Site

log = structlog.get_logger()

KIND = "archive"
BATCH = 512
GATHER_SECONDS = 0.2
"""What comes so soon after a write is written together, up to a batch, which is written at once: each write takes four
turns of the disk, for which presses wait as well, and what is not written here yet is safe on the log.
"""
PAUSE_SECONDS = 5.0


class Archivist:
    """Writes the stream `CASES`, of every site on it, into `folder`. An incident says when it cannot."""

    def __init__(self, nc: Client, site: Site | str, folder: Path) -> None:
        self._nc, self._folder = nc, folder / CASES
        self._book = IncidentBook(nc, site)
        self._told = ""

    async def run(self) -> None:
        """Follow the log until cancelled; after any trouble it begins again where the archive ends."""
        while True:
            end_if_stopping()
            try:
                await self._keep()
            except BrokenArchive as error:
                await self._tell(f"{error.detail}; move that folder away, and the archive is written anew from the log")
            except BlockingIOError:
                log.info("archive.kept_by_another", folder=str(self._folder))
            except (NatsError, APIError, DispatchError, TimeoutError) as error:
                log.warning("archive.waiting", error=repr(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the read models beside it go on
                await self._tell(f"{self._folder} cannot be kept: {error!r}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _keep(self) -> None:
        with ExitStack() as stack:
            shelf = await asyncio.to_thread(_opened, self._folder, stack)
            await self._follow(shelf)

    async def _follow(self, shelf: Shelf) -> None:
        await self._require_same(shelf)
        await self._over()
        read: asyncio.Queue[Msg | Exception] = asyncio.Queue(maxsize=2 * BATCH)

        async def reading() -> None:
            try:
                async for message in follow(self._nc, CASES, ">", after=shelf.head.seq):
                    await read.put(message)
            except Exception as error:  # noqa: BLE001 - raised where the records are written
                await read.put(error)

        clock, written = asyncio.get_running_loop().time, 0.0
        reader = asyncio.create_task(reading())
        try:
            while True:
                end_if_stopping()
                messages = [await read.get()]
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(written + GATHER_SECONDS):
                        while len(messages) < BATCH:
                            messages.append(await read.get())
                records = [record_of(_message(came)) for came in messages]
                await asyncio.to_thread(shelf.append, records)
                written = clock()
                log.debug("archive.written", seq=shelf.head.seq, records=len(records))
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader

    async def _require_same(self, shelf: Shelf) -> None:
        """Raise `BrokenArchive` when the log is not the one that the archive was written from."""
        if (last := shelf.last()) is None:
            return
        before, sealed = last
        _, end = await held(self._nc, CASES)
        if end < sealed.record.seq:
            raise BrokenArchive(f"{self._folder} reaches sequence {sealed.record.seq}, but the log ends at {end}")
        async for record in records_of(self._nc, CASES, after=sealed.record.seq - 1, last=sealed.record.seq):
            if seal_of(record, before) == sealed.seal:
                return
        raise BrokenArchive(f"{self._folder}: sequence {sealed.record.seq} is not in the log as it was written here")

    async def _tell(self, reason: str) -> None:
        detail = f"档案停止 / the archive stands still: {reason}"
        if detail == self._told:
            return
        incident = Incident(kind=KIND, what="log", since=now(), detail=detail)
        with suppress(NatsError, APIError, DispatchError, TimeoutError):
            await self._book.tell(incident)
            self._told = detail

    async def _over(self) -> None:
        for name in await self._book.told(f"{KIND}.>"):
            await self._book.over(name)
        self._told = ""


def _message(came: Msg | Exception) -> Msg:
    """Raises what ended the reading, which begins again where the archive ends."""
    if isinstance(came, Exception):
        raise came
    return came


def _opened(folder: Path, stack: ExitStack) -> Shelf:
    """The chain, which is ours alone until `stack` ends. Raises `BlockingIOError` while another process has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = stack.enter_context((folder / ".lock").open("a"))
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Shelf.begin(folder)
