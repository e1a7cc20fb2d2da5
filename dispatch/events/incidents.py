"""What is wrong with the system itself: an entry for each incident in the bucket `INCIDENTS`, until it is over."""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog
from nats.aio.client import Client

from dispatch.clock import now
from dispatch.events.buckets import bucket_at, is_deleted
from dispatch.events.direct import direct_get
from dispatch.events.streams import INCIDENTS

log = structlog.get_logger()


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` and `what` name it; `since` is when it began; `detail` says it in Chinese and English."""

    kind: str
    what: str
    since: datetime
    detail: str

    @property
    def name(self) -> str:
        return f"{self.kind}.{self.what}"


class IncidentBook:
    """The incidents of one site. Every method raises what NATS raises when it does not answer."""

    def __init__(self, nc: Client, site: str) -> None:
        self._nc, self._site = nc, site
        self._prefix = f"$KV.{INCIDENTS}.{site}."
        self._kept = bucket_at(nc, INCIDENTS)

    async def told(self, pattern: str = ">") -> dict[str, Incident]:
        """The incidents whose names match the NATS `pattern`, by name: what this or an earlier process told."""
        request: dict[str, object] = {"multi_last": [f"{self._prefix}{pattern}"]}
        messages = await direct_get(self._nc, f"KV_{INCIDENTS}", request)
        headers = [message.headers or {} for message in messages]
        return {
            (name := of["Nats-Subject"].removeprefix(self._prefix)): _decode(name, message.data)
            for message, of in zip(messages, headers, strict=True)
            if not is_deleted(of)
        }

    async def tell(self, incident: Incident) -> None:
        """Write it down, in place of an older one of the same name."""
        log.error("incident", kind=incident.kind, what=incident.what, detail=incident.detail)
        await self._kept.put(f"{self._site}.{incident.name}", msgspec.json.encode(incident))

    async def over(self, name: str) -> None:
        """Take it away."""
        log.info("incident.over", incident=name)
        await self._kept.delete(f"{self._site}.{name}")


def _decode(name: str, value: bytes) -> Incident:
    """The incident in `value`; for one that nobody can read, one that will be over at the next look."""
    try:
        return msgspec.json.decode(value, type=Incident)
    except msgspec.DecodeError:
        return Incident(kind=name.partition(".")[0], what=name.partition(".")[2], since=now(), detail="")
