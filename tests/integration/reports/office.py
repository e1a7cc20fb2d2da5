"""A site whose log can be told cases, and its reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from dispatch.cases import CaseDesk
from dispatch.events import CaseLog, connect, ensure_streams
from dispatch.projections import Projector, ReadModels
from tests.integration.reports.told import AS_OF, SINCE, UNTIL, ZONE, Told
from tests.projection_stories import projecting
from tests.waiting import until


@dataclass
class Office:
    """A site whose log can be told cases, and its reports."""

    log: CaseLog
    models: ReadModels
    projector: Projector

    async def told(self, cases: Iterable[Told]) -> None:
        desk, limit = CaseDesk(self.log), asyncio.Semaphore(16)

        async def one(case: Told) -> None:
            async with limit:
                await case.to(desk)

        await asyncio.gather(*map(one, cases))
        end = await self.log.last_sequence()
        async with projecting(self.projector):
            await until(lambda: self.models.wait_for(end, 0), f"the read models to reach {end}")

    async def response(self, by: str = "total", **asked: Any) -> dict[str, Any]:
        asked = {"since": SINCE, "until": UNTIL, "as_of": AS_OF, "zone": ZONE, "limit": 500, **asked}
        return {row["key"]: row for row in await self.models.reports.response(by=by, **asked)}

    async def workload(self, by: str = "responder", **asked: Any) -> dict[str, Any]:
        asked = {"since": SINCE, "until": UNTIL, "limit": 500, **asked}
        return {row["key"]: row for row in await self.models.reports.workload(by=by, **asked)}


@asynccontextmanager
async def opened(nats_url: str, dsn: str, site: str) -> AsyncIterator[Office]:
    """The office of `site`, whose log and database nobody else has."""
    nc = await connect(nats_url, "test")
    await ensure_streams(nc.jetstream())
    log = CaseLog(nc, site)
    office = Office(log, ReadModels(dsn, site), Projector(nc, log, dsn))
    yield office
    await office.models.close()
    await nc.close()
