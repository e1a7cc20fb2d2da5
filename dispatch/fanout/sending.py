"""One ring over one channel, to every contact point that a person has for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from msgspec.structs import replace

from dispatch.cases import OUTCOME_RANK
from dispatch.errors import DispatchError
from dispatch.events import Channel
from dispatch.fanout.channels import Sender, Sent
from dispatch.fanout.ring import Ring
from dispatch.identifiers import PersonId
from dispatch.roster import ContactPoint, Person, Roster, points_for

log = structlog.get_logger()


class Sending:
    """The channels, by name."""

    def __init__(self, roster: Roster, senders: Mapping[Channel, Sender]) -> None:
        self._roster, self._senders = roster, senders

    async def send(self, ring: Ring, channel: Channel, person: Person | None) -> Sent:
        """What came of it: the best over the person's contact points. Those that are gone are retired."""
        sender = self._senders.get(channel)
        if sender is None:
            return Sent("failed", "this channel is not set up here")
        if channel == "live":
            return await sender.send(ring, None)
        points = points_for(person, channel)
        if not points:
            return Sent("failed", "no contact point for this channel any more")
        if len(points) == 1:  # at once, not in a task that waits behind every open page
            results = [await sender.send(ring, points[0])]
        else:
            results = await asyncio.gather(*(sender.send(ring, point) for point in points))
        for point, sent in zip(points, results, strict=True):
            if sent.gone:
                await self._retire(ring.responder, point, sent.reason or "gone")
        return max(results, key=lambda sent: OUTCOME_RANK[sent.outcome])

    async def _retire(self, person: PersonId, point: ContactPoint, reason: str) -> None:
        def change(person: Person) -> Person:
            points = (replace(p, retired=reason) if p == point else p for p in person.contact_points)
            return replace(person, contact_points=tuple(points))

        try:
            await self._roster.update_person(person, change, by="fanout")
        except DispatchError as error:  # it will be found gone again next time
            log.warning("point.not_retired", responder=person, reason=error.detail)
