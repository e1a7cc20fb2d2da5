"""One part of the log into the empty tables of a rebuild, as fast as it goes; in a process of its own, or in this one.

The commits are read in their order and held, case by case, until `HELD` of them are there; then those cases that were
quiet for longest are folded, each once and whole, and their rows copied. So memory is bounded, however long the log.
A case that is not whole here (it began in an earlier part, or went on after it was copied) is late: it is only named,
and written later by the live read model's own statements, for which it makes no difference what is there already. The
same goes for whatever cannot be read, makes no rows, or holds U+0000.

As a process: `python -m dispatch.projections.part`, with a `Part` as a line of JSON on standard input, which stays open
while the result is wanted; it prints a `Done` for each step as a line of JSON.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import msgspec
import structlog
import uvloop

from dispatch.cases import fold_whole
from dispatch.events import CASES
from dispatch.events.bulk import ALL, Raw, bulk, commits_of, read
from dispatch.identifiers import CaseId, Site
from dispatch.projections.copying import Target, take_rows, target_of
from dispatch.projections.models import all_projections
from dispatch.projections.months import Months
from dispatch.projections.projection import Change, Projection
from dispatch.projections.writer import CONNECT_SECONDS

HELD = 60_000
"""Commits; about 1.2 KB each."""
AT_ONCE = 200
"""Cases whose rows are made and copied together."""
COPY_SECONDS = 300.0
COLLECT_EVERY = 64
_BEGINS = b'{"events":[{"type":"alarm_raised.'
_NUL = rb"\u0000"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The commits of `site` behind sequence `after` up to `until`, for read models whose tables are in `schema`."""

    nats_url: str
    dsn: str
    site: Site
    schema: str
    projections: tuple[str, ...]
    after: int
    until: int


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the way: how many messages and events it was, and which cases are late."""

    messages: int
    events: int
    late: tuple[CaseId, ...] = ()


async def load(part: Part, done: Callable[[Done], None], projections: Sequence[Projection] | None = None) -> None:
    """Copy the rows of `part`, telling each step. Raises `Unavailable`, `SetupError` and errors of asyncpg."""
    chosen = [one for one in projections or all_projections() if one.name in part.projections]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(bulk(part.nats_url))
        tables = await stack.enter_async_context(_tables(part, chosen))
        loading = _Loading(part.site, tables, done)
        async for page in read(client, CASES, ALL, after=part.after, until=part.until):
            await loading.take(page)
        await loading.finish()


class _Table:
    """Where the rows of one read model go."""

    def __init__(
        self, projection: Projection, target: Target, connection: asyncpg.Connection, schema: str, months: Months
    ) -> None:
        self.rows, self._target, self._connection, self._schema = projection.rows, target, connection, schema
        self._months = months

    async def copy(self, rows: Sequence[msgspec.Struct]) -> bool:
        """Whether Postgres has taken `rows`; it takes all or none."""
        if not rows:
            return True
        try:
            await self._months.ensure(self._months.of_rows(rows))
            await self._connection.copy_records_to_table(
                self._target.table,
                schema_name=self._schema,
                columns=self._target.columns,
                records=self._target.records(rows),
            )
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, TypeError, ValueError, OverflowError):
            return False  # the live read model's way finds out which row it is
        return True


@asynccontextmanager
async def _tables(part: Part, projections: Sequence[Projection]) -> AsyncIterator[list[_Table]]:
    """All over one connection: this process and Postgres take turns, and other parts have the other processors."""
    connection = await asyncpg.connect(
        part.dsn,
        timeout=CONNECT_SECONDS,
        command_timeout=COPY_SECONDS,
        server_settings={"application_name": "dispatch rebuild", "synchronous_commit": "off"},
    )
    try:
        await take_rows(connection)
        yield [await _table(part, projection, connection) for projection in projections]
    finally:
        connection.terminate()


async def _table(part: Part, projection: Projection, connection: asyncpg.Connection) -> _Table:
    target = target_of(projection)
    assert target is not None, projection.name  # noqa: S101 - the rebuild asks only for those that can be copied
    months = await Months.of(connection, [f'"{part.schema}".{target.table}'], beside=True)
    return _Table(projection, target, connection, part.schema, months)


class _Loading:
    """Cases that are held until they are whole, as far as can be known."""

    def __init__(self, site: Site, tables: Sequence[_Table], done: Callable[[Done], None]) -> None:
        self._site, self._tables, self._done = site, tables, done
        self._mine = (f"cases.{site}.".encode(), f"history.{site}.".encode())
        self._held: OrderedDict[bytes, list[Raw]] = OrderedDict()
        self._count = self._passed = self._steps = 0

    async def take(self, page: Sequence[Raw]) -> None:
        held = self._held
        for raw in page:
            subject = raw.subject
            if not subject.startswith(self._mine):
                self._passed += 1
                continue
            if subject in held:
                held[subject].append(raw)
                held.move_to_end(subject)
            else:
                held[subject] = [raw]
            self._count += 1
        while self._count > HELD:
            await self._copy()

    async def finish(self) -> None:
        while self._held:
            await self._copy()
        self._done(Done(messages=self._passed, events=0))

    async def _copy(self) -> None:
        """Fold and copy the cases that were quiet for longest."""
        changes: list[Change] = []
        late: list[CaseId] = []
        messages = 0
        for _ in range(min(AT_ONCE, len(self._held))):
            subject, raws = self._held.popitem(last=False)
            messages += len(raws)
            change = self._change(raws)
            if change is None:
                late.append(_case_of(subject))
            else:
                changes.append(change)
        self._count -= messages
        late += await self._copied(changes)
        events = sum(len(commit.events) for change in changes for commit in change.commits)
        self._done(Done(messages=messages + self._passed, events=events, late=tuple(late)))
        self._passed, self._steps = 0, self._steps + 1
        if self._steps % COLLECT_EVERY == 0:
            changes.clear()
            gc.collect()

    def _change(self, raws: Sequence[Raw]) -> Change | None:
        """The whole case, or None when it is late: most that are show it before anything is decoded."""
        if not raws[0].body.startswith(_BEGINS) or any(_NUL in raw.body for raw in raws):
            return None
        try:
            commits = commits_of(raws)
            case = fold_whole(commits)
            return Change(site=self._site, case=case, commits=commits) if case.id == commits[0].case else None
        except Exception:  # noqa: BLE001 - the live read model's way says what is wrong, and buries it
            return None

    async def _copied(self, changes: Sequence[Change]) -> Iterable[CaseId]:
        """The cases of `changes` that are late, because some read model could not take them."""
        rows: list[list[msgspec.Struct]] = [[] for _ in self._tables]
        late: set[CaseId] = set()
        for change in changes:
            try:
                made = [list(table.rows(change)) for table in self._tables]
            except Exception:  # noqa: BLE001 - as above
                late.add(change.case.id)
                continue
            for every, some in zip(rows, made, strict=True):
                every.extend(some)
        taken = [await table.copy(some) for table, some in zip(self._tables, rows, strict=True)]
        return late if all(taken) else [change.case.id for change in changes]


def _case_of(subject: bytes) -> CaseId:
    return CaseId(subject.rpartition(b".")[2].decode())


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the rebuild, which ends this by closing its input
    # Standard output is for what was done; of a connection that is lost for a moment the log speaks elsewhere.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    part = msgspec.json.decode(sys.stdin.readline(), type=Part)
    gc.freeze()
    gc.disable()  # nothing here makes cycles, and looking for them takes a third of the time

    def say(done: Done) -> None:
        sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
        sys.stdout.flush()

    threading.Thread(target=_end_when_left_alone, daemon=True).start()
    uvloop.run(load(part, say))


def _end_when_left_alone() -> None:
    """Whoever wanted the result keeps our input open; nobody is to write into the tables of the next rebuild."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
