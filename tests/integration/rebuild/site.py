"""A site whose read models a test rebuilds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg
from nats.aio.client import Client

from dispatch.events import CaseLog
from dispatch.projections import Projector, ReadModels, rebuild, rebuilding


@dataclass
class Site:
    """A site of one test, with a projector that the test starts."""

    nc: Client
    log: CaseLog
    url: str
    dsn: str
    models: ReadModels

    def projector(self, **options: Any) -> Projector:
        return Projector(self.nc, self.log, self.dsn, **options)

    async def rebuild(self, *names: str, **options: Any) -> list[str]:
        return await rebuild(self.nc, self.url, self.dsn, self.log.site, names, **options)

    def under_way(self, *names: str, **options: Any) -> Any:
        return rebuilding(self.nc, self.url, self.dsn, self.log.site, names, **options)

    async def caught_up(self) -> None:
        assert await self.models.wait_for(await self.log.last_sequence(), 60)


async def read(dsn: str, query: str, *arguments: Any) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row[0] for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


def holds(condition: Any) -> Any:
    async def asked() -> bool:
        return bool(condition())

    return asked
