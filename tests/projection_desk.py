"""A site whose read models a test watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from nats.aio.client import Client

from dispatch.errors import Unavailable
from dispatch.events import (
    DLQ,
    INCIDENTS,
    CaseLog,
    connect,
    decode_letter,
    direct_get,
    ensure_streams,
)
from dispatch.projections import Projector, ReadModels, rebuild
from tests.projection_stories import (
    answered,
    noted,
    recorded,
    resolved,
)
from tests.waiting import until


@dataclass
class Desk:
    """A site of one test: its log, its database, its read models."""

    nc: Client
    log: CaseLog
    dsn: str
    models: ReadModels
    url: str

    def projector(self, **options: Any) -> Projector:
        return Projector(self.nc, self.log, self.dsn, **options)

    async def rebuild(self, *names: str, **options: Any) -> list[str]:
        return await rebuild(self.nc, self.url, self.dsn, self.log.site, names, **options)

    async def caught_up(self, seconds: float = 20) -> None:
        end = await self.log.last_sequence()

        async def all_there() -> bool:
            try:
                return await self.models.wait_for(end, 0)
            except Unavailable:
                return False

        await until(all_there, f"the read models to reach {end}", seconds=seconds)

    async def letters(self, by: str) -> list[int]:
        request: dict[str, object] = {"seq": 1, "next_by_subj": f"dlq.{self.log.site}.{by}", "batch": 100}
        return [decode_letter(message.data).seq for message in await direct_get(self.nc, DLQ, request)]


async def opened(url: str, dsn: str, site: str) -> Desk:
    nc = await connect(url, "test")
    await ensure_streams(nc.jetstream())
    return Desk(nc, CaseLog(nc, site), dsn, ReadModels(dsn, site), url)


STORY = (
    recorded("r1", 1, ("p-1", "live", "sent"), ("p-2", "live", "failed"), ("p-3", "webhook", "unknown")),
    recorded("r2", 2, ("p-1", "live", "delivered"), ("p-3", "webhook", "sent")),
    answered("p-1", "going", 10, eta=5),
    answered("p-2", "cannot", 12),
    noted("n1", 20, "门锁着"),
    answered("p-1", "on_scene", 130),
    resolved(400),
)


async def reached(desk: Desk, names: tuple[str, ...], seq: int) -> bool:
    positions = await desk.models.positions()
    return all(positions[name] >= seq for name in names)


async def incident(desk: Desk, name: str) -> bool:
    request: dict[str, object] = {"last_by_subj": f"$KV.{INCIDENTS}.{desk.log.site}.projection.{name}"}
    reply = await desk.nc.request(f"$JS.API.DIRECT.GET.KV_{INCIDENTS}", msgspec.json.encode(request))
    return bool(reply.data)


async def no_incident(desk: Desk, name: str) -> bool:
    return not await incident(desk, name)
