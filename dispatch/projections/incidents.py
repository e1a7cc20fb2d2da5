"""A read model that stands still is an incident: it stands in the bucket `INCIDENTS` until it goes on."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from dispatch.clock import now
from dispatch.events import INCIDENTS
from dispatch.identifiers import Site

log = structlog.get_logger()

KIND = "projection"


class Incidents:
    """Incidents of the read models of one site, under `<site>.projection.<name>`."""

    def __init__(self, nc: Client, site: Site) -> None:
        self._js, self._site = nc.jetstream(), site
        self._clear: set[str] = set()

    async def report(self, name: str, reason: str) -> None:
        """Tell that `name` stands still; what is told already stays as it is, with the time it began."""
        detail = f"读模型 {name} 停止更新 / the read model {name} stands still: {reason}"
        value = {"kind": KIND, "what": name, "since": now(), "detail": detail}
        try:
            told = await self._told(name)
            if told is None or told.get("detail") != detail:
                bucket = await self._js.key_value(INCIDENTS)
                await bucket.put(self._key(name), msgspec.json.encode(value))
            self._clear.discard(name)
        except (NatsError, APIError) as error:
            log.warning("project.incident_untold", projection=name, error=repr(error))

    async def over(self, name: str) -> None:
        """Take away what this or an earlier process told about `name`; costs nothing when that was done."""
        if name in self._clear:
            return
        try:
            if await self._told(name) is not None:
                bucket = await self._js.key_value(INCIDENTS)
                await bucket.delete(self._key(name))
            self._clear.add(name)
        except (NatsError, APIError) as error:
            log.warning("project.incident_untold", projection=name, error=repr(error))

    async def _told(self, name: str) -> dict[str, Any] | None:
        bucket = await self._js.key_value(INCIDENTS)
        try:
            entry = await bucket.get(self._key(name))
            return msgspec.json.decode(entry.value or b"{}", type=dict[str, Any])
        except NotFoundError:
            return None
        except msgspec.DecodeError:
            return {}

    def _key(self, name: str) -> str:
        return f"{self._site}.{KIND}.{name}"
