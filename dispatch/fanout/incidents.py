"""The incidents that the watchdog answers for, as its latest look found them."""

from __future__ import annotations

from collections.abc import Iterable

from nats.aio.client import Client

from dispatch.events import Incident, IncidentBook
from dispatch.fanout.batches import in_batches

KINDS = ("owed", "late", "waiting", "backlog", "intake", "rubbish", "silent", "channel")


class Incidents:
    """Keeps the book at what is wrong now. Incidents of other kinds are others' business."""

    def __init__(self, nc: Client, site: str) -> None:
        self._book = IncidentBook(nc, site)
        self._written: dict[str, Incident] | None = None

    async def are(self, incidents: Iterable[Incident]) -> None:
        """Make the book hold just these. An incident keeps the `since` with which it was first written."""
        if self._written is None:
            self._written = await self._left_by_an_earlier_run()
        written, current = self._written, {incident.name: incident for incident in incidents}

        async def tell(incident: Incident) -> None:
            await self._book.tell(incident)
            written[incident.name] = incident

        async def over(name: str) -> None:
            await self._book.over(name)
            del written[name]

        news = [one for name, one in current.items() if name not in written or written[name].detail != one.detail]
        await in_batches(tell, news)
        await in_batches(over, list(written.keys() - current.keys()))

    async def _left_by_an_earlier_run(self) -> dict[str, Incident]:
        return {name: of for kind in KINDS for name, of in (await self._book.told(f"{kind}.>")).items()}
