"""What is wrong now: one entry for each incident in the bucket `INCIDENTS`, removed when it is over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
import structlog
from nats.aio.client import Client

from dispatch.clock import now
from dispatch.events import INCIDENTS, direct_get

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


class Incidents:
    """The incidents of one site, as the watchdog's latest look found them."""

    def __init__(self, nc: Client, site: str) -> None:
        self._nc, self._js, self._site = nc, nc.jetstream(), site
        self._written: dict[str, Incident] | None = None

    async def are(self, incidents: Iterable[Incident]) -> None:
        """Make the bucket hold just these. An incident keeps the `since` with which it was first written."""
        bucket = await self._js.key_value(INCIDENTS)
        written = await self._known() if self._written is None else self._written
        self._written = written
        current = {incident.name: incident for incident in incidents}
        for name, incident in current.items():
            if name not in written or written[name].detail != incident.detail:
                log.error("incident", kind=incident.kind, what=incident.what, detail=incident.detail)
                await bucket.put(f"{self._site}.{name}", msgspec.json.encode(incident))
                written[name] = incident
        for name in written.keys() - current.keys():
            await bucket.delete(f"{self._site}.{name}")
            log.info("incident.over", kind=written[name].kind, what=written[name].what)
            del written[name]

    async def _known(self) -> dict[str, Incident]:
        """What an earlier run left."""
        prefix = f"$KV.{INCIDENTS}.{self._site}."
        messages = await direct_get(self._nc, f"KV_{INCIDENTS}", {"multi_last": [f"{prefix}>"]})
        headers = [message.headers or {} for message in messages]
        return {
            (name := of["Nats-Subject"].removeprefix(prefix)): _decode(name, message.data)
            for message, of in zip(messages, headers, strict=True)
            if "KV-Operation" not in of
        }


def _decode(name: str, value: bytes) -> Incident:
    """The incident in `value`; for one that nobody can read, one that will be over at the next look."""
    try:
        return msgspec.json.decode(value, type=Incident)
    except msgspec.DecodeError:
        return Incident(kind="unreadable", what=name, since=now(), detail="")
