"""One read model at work: its rows and its checkpoint, written together over a connection of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence

import asyncpg
import msgspec
from msgspec.structs import replace

from dispatch.cases import Case
from dispatch.clock import now, of_server
from dispatch.identifiers import CaseId
from dispatch.projections import checkpoints
from dispatch.projections.burial import Burials
from dispatch.projections.checkpoints import Checkpoint, CheckpointMoved
from dispatch.projections.metrics import DELAY, ROWS
from dispatch.projections.months import Month, Months
from dispatch.projections.projection import Change, Projection
from dispatch.projections.steps import Step, changes
from dispatch.projections.storing import Elsewhere, Storing

CONNECT_SECONDS, WRITE_SECONDS = 2.0, 5.0

NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""U+0000 in JSON: Postgres has no such character, and a note that holds one must be shown all the same."""

BAD_ROWS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


def encoded(rows: Sequence[msgspec.Struct]) -> str:
    """`rows` as the JSON list that the statements take."""
    body = msgspec.json.encode(rows)
    return (NUL.sub(rb"\1\\ufffd", body) if b"\\u0000" in body else body).decode()


class BadRows(Exception):
    """No rows could be made of a step."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer is about to store: `count` rows as a JSON list (None: no row), and the step they end with."""

    last: Step
    count: int
    body: str | None
    months: set[Month]


async def connect(dsn: str, name: str, schema: str | None = None) -> asyncpg.Connection:
    """A connection for a read model. A crash of Postgres may take back its last rows, with their checkpoint.

    With `schema` it sees the tables and checkpoints of that schema, and no others.
    """
    place = {} if schema is None else {"search_path": f'"{schema}"'}
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_SECONDS,
        command_timeout=WRITE_SECONDS,
        server_settings={"application_name": f"dispatch project {name}", "synchronous_commit": "off", **place},
    )


class Writer:
    """Writes `projection` from `checkpoint` on; `storing` is its own."""

    def __init__(
        self,
        projection: Projection,
        storing: Storing,
        checkpoint: Checkpoint,
        burials: Burials,
        *,
        months: Months,
    ) -> None:
        self.projection, self._created = projection, checkpoint.stream_created
        self.position, self._commit_id = checkpoint.seq, checkpoint.commit_id
        self._storing, self._burials, self._months = storing, burials, months
        self._skipped: set[CaseId] = set()
        """Of these cases it has not stored every commit, so it has no rows of them as they were before."""
        self._rows, self._delay = ROWS.labels(projection.name), DELAY.labels(projection.name)

    @property
    def checkpoint(self) -> Checkpoint:
        """Where this writer left it."""
        return Checkpoint(stream_created=self._created, seq=self.position, commit_id=self._commit_id)

    async def write(self, steps: Sequence[Step]) -> None:
        """Store what `steps` change. A step that makes no good rows goes to the DLQ, and the others are stored.

        Raises `CheckpointMoved` when the checkpoint was taken back, and errors of asyncpg and NATS.
        """
        new = [step for step in steps if step.seq > self.position]
        if not new:
            return
        try:
            prepared = self.prepare(new[-1], changes(self._storing.site, new))
            await self.make_months(prepared)
            await self._store(prepared)
        except (BadRows, *BAD_ROWS) as error:
            await self._one_by_one(new, error)

    def prepare(self, last: Step, changed: Sequence[Change]) -> Prepared:
        """What is to be stored of `changed`, which is all new and ends with `last`. Raises `BadRows`."""
        try:
            if self._skipped:
                changed = [self._whole(change) for change in changed]
            rows = [row for change in changed for row in self.projection.rows(change)]
            body = encoded(rows) if rows else None
            return Prepared(last=last, count=len(rows), body=body, months=self._months.of_rows(rows))
        except Exception as error:
            raise BadRows(f"{type(error).__name__}: {error}") from error

    def _whole(self, change: Change) -> Change:
        return replace(change, before=Case()) if change.case.id in self._skipped else change

    async def make_months(self, prepared: Prepared) -> None:
        """See to it that there is a place for the rows of `prepared`."""
        await self._months.ensure(prepared.months)

    def stored(self, prepared: Prepared) -> None:
        """Note that Postgres has taken `prepared`."""
        self.position, self._commit_id = prepared.last.seq, prepared.last.commit_id
        self._rows.inc(prepared.count)
        self._delay.observe(max(0.0, (now() - of_server(prepared.last.stored_at)).total_seconds()))

    async def _one_by_one(self, steps: Sequence[Step], error: Exception) -> None:
        if len(steps) > 1:
            for step in steps:
                await self.write([step])
            return
        reason = f"no rows of {self.projection.name} can be made of it: {type(error).__name__}: {error}"
        await self._burials.bury(f"project-{self.projection.name}", steps[0].message, reason)
        self._skipped.update(change.case.id for change in changes(self._storing.site, steps))
        await self._store(Prepared(last=steps[0], count=0, body=None, months=set()))

    async def _store(self, prepared: Prepared) -> None:
        last = prepared.last
        try:
            await self._storing.store(self._created, [self.position], last.seq, last.commit_id, [prepared.body])
        except Elsewhere:
            await self.require_reached(last.seq)
        self.stored(prepared)

    async def require_reached(self, seq: int) -> None:
        """Raise `CheckpointMoved` unless the stored checkpoint is at `seq` or beyond, where another runner took it."""
        found = await checkpoints.current(self._storing.connection, self._storing.site, self.projection.name)
        if found is None or found.seq < seq or found.stream_created != self._created:
            raise CheckpointMoved(f"the checkpoint of {self.projection.name} is not where it was left: {found}")
