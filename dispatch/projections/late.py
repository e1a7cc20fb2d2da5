"""Cases that could not be copied, written by the live read model's own statements after everything else is there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from nats.aio.client import Client

from dispatch.events import CASES, CaseLog
from dispatch.events.bulk import Bulk, Raw, bulk, read
from dispatch.identifiers import CaseId
from dispatch.projections import checkpoints
from dispatch.projections.burial import Burials
from dispatch.projections.checkpoints import Checkpoint
from dispatch.projections.copying import tables_of
from dispatch.projections.months import Months
from dispatch.projections.part import Part
from dispatch.projections.projection import Projection
from dispatch.projections.steps import Steps
from dispatch.projections.storing import Storing
from dispatch.projections.writer import Writer, connect

AT_ONCE = 50
"""Cases that are read, and written, together."""


async def write_late(nc: Client, whole: Part, cases: Sequence[CaseId], projections: Sequence[Projection]) -> None:
    """Write the rows of `cases` as of the end of `whole`, whatever of them is there already.

    A writer moves the checkpoint on by one commit at least, so that is put back before each time.
    """
    if not cases:
        return
    log = CaseLog(nc, whole.site)
    created = await checkpoints.stream_created(nc)
    start = Checkpoint(stream_created=created, seq=0, commit_id="")
    burials = Burials(nc, whole.site, created)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(bulk(whole.nats_url))
        places = []
        for projection in projections:
            connection = await connect(whole.dsn, projection.name, whole.schema)
            stack.callback(connection.terminate)
            storing = await Storing.over(connection, whole.site, [projection])
            places.append((storing, await Months.of(connection, tables_of(projection))))
        for first in range(0, len(cases), AT_ONCE):
            steps = Steps(log, burials)
            raws = [raw for case in cases[first : first + AT_ONCE] for raw in await _commits(client, whole, case)]
            taken = [await steps.take(raw.message(client)) for raw in sorted(raws, key=lambda raw: raw.seq)]
            for projection, (storing, months) in zip(projections, places, strict=True):
                await checkpoints.place(storing.connection, whole.site, projection.name, start)
                await Writer(projection, storing, start, burials, months=months).write(taken)


async def _commits(client: Bulk, whole: Part, case: CaseId) -> list[Raw]:
    pages = read(client, CASES, f"*.{whole.site}.*.{case}", after=whole.after, until=whole.until)
    return [raw async for page in pages for raw in page]
