"""The incidents that the watchdog answers for, as its latest look found them."""

from __future__ import annotations

from collections.abc import Iterable

from nats.aio.client import Client

from dispatch.events import Incident, IncidentBook

KINDS = ("owed", "late", "waiting", "silent", "channel")


class Incidents:
    """Keeps the book at what is wrong now. Incidents of other kinds are others' business."""

    def __init__(self, nc: Client, site: str) -> None:
        self._book = IncidentBook(nc, site)
        self._written: dict[str, Incident] | None = None

    async def are(self, incidents: Iterable[Incident]) -> None:
        """Make the book hold just these. An incident keeps the `since` with which it was first written."""
        if self._written is None:
            self._written = await self._left_by_an_earlier_run()
        current = {incident.name: incident for incident in incidents}
        for name, incident in current.items():
            if name not in self._written or self._written[name].detail != incident.detail:
                await self._book.tell(incident)
                self._written[name] = incident
        for name in self._written.keys() - current.keys():
            await self._book.over(name)
            del self._written[name]

    async def _left_by_an_earlier_run(self) -> dict[str, Incident]:
        return {name: of for kind in KINDS for name, of in (await self._book.told(f"{kind}.>")).items()}
