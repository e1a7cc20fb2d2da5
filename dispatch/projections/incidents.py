"""A read model that stands still is an incident: it stands in the bucket `INCIDENTS` until it goes on."""

from __future__ import annotations

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
        self._told: dict[str, str | None] = {}

    async def report(self, name: str, detail: str) -> None:
        """Tell that `name` stands still; what was told already is not told again."""
        if self._told.get(name) == detail:
            return
        value = {"kind": KIND, "what": name, "since": now(), "detail": detail}
        try:
            bucket = await self._js.key_value(INCIDENTS)
            await bucket.put(self._key(name), msgspec.json.encode(value))
        except (NatsError, APIError) as error:
            log.warning("project.incident_untold", projection=name, error=repr(error))
        else:
            self._told[name] = detail

    async def over(self, name: str) -> None:
        """Take away what this or an earlier process told about `name`; costs nothing while there is nothing."""
        if name in self._told and self._told[name] is None:
            return
        try:
            bucket = await self._js.key_value(INCIDENTS)
            await bucket.get(self._key(name))
            await bucket.delete(self._key(name))
        except NotFoundError:
            pass
        except (NatsError, APIError) as error:
            log.warning("project.incident_untold", projection=name, error=repr(error))
            return
        self._told[name] = None

    def _key(self, name: str) -> str:
        return f"{self._site}.{KIND}.{name}"
