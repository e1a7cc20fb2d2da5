"""A read model that stands still is an incident until it goes on."""

from __future__ import annotations

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from dispatch.clock import now
from dispatch.errors import DispatchError
from dispatch.events import Incident, IncidentBook
from dispatch.identifiers import Site

log = structlog.get_logger()

KIND = "projection"
AWAY = (NatsError, APIError, DispatchError, TimeoutError)


class Incidents:
    """Incidents of the read models of one site, under `<site>.projection.<name>`. Raises nothing."""

    def __init__(self, nc: Client, site: Site) -> None:
        self._book = IncidentBook(nc, site)
        self._clear: set[str] = set()

    async def report(self, name: str, reason: str) -> None:
        """Tell that `name` stands still; what is told already stays as it is, with the time it began."""
        detail = f"读模型 {name} 停止更新 / the read model {name} stands still: {reason}"
        incident = Incident(kind=KIND, what=name, since=now(), detail=detail)
        try:
            told = (await self._book.told(incident.name)).get(incident.name)
            if told is None or told.detail != detail:
                await self._book.tell(incident)
            self._clear.discard(name)
        except AWAY as error:
            log.warning("project.incident_untold", projection=name, error=repr(error))

    async def over(self, name: str) -> None:
        """Take away what this or an earlier process told about `name`; costs nothing when that was done."""
        if name in self._clear:
            return
        try:
            for told in await self._book.told(f"{KIND}.{name}"):
                await self._book.over(told)
            self._clear.add(name)
        except AWAY as error:
            log.warning("project.incident_untold", projection=name, error=repr(error))
