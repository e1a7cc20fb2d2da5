"""Several read models written in one statement over one connection: one way there and back, one commit.

What one of them cannot take is none of this module's business: then nothing is written, and each writes for itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from dispatch.projections.steps import Step, changes
from dispatch.projections.storing import Elsewhere, Storing
from dispatch.projections.writer import BadRows, Writer


class Together:
    """Writes what `writers` would, as long as they are in step. `storing` is that of all of them, in their order."""

    def __init__(self, storing: Storing, writers: Sequence[Writer]) -> None:
        self._storing, self._writers = storing, writers

    async def write(self, steps: Sequence[Step]) -> bool:
        """Store what `steps` change for all; whether that was done. Raises what says that Postgres went away."""
        last = steps[-1]
        if any(writer.position >= steps[0].seq for writer in self._writers):
            return False  # one is ahead
        created, places = self._writers[0].checkpoint.stream_created, [writer.position for writer in self._writers]
        try:
            changed = changes(self._storing.site, steps)
            prepared = [writer.prepare(last, changed) for writer in self._writers]
            for writer, one in zip(self._writers, prepared, strict=True):
                await writer.make_months(one)
            bodies = [one.body for one in prepared]
            await self._storing.store(created, places, last.seq, last.commit_id, bodies)
        except (BadRows, Elsewhere, asyncpg.PostgresError, TimeoutError):
            return False  # which of them it was shows when each writes for itself
        for writer, one in zip(self._writers, prepared, strict=True):
            writer.stored(one)
        return True
