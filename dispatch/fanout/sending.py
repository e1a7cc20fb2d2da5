"""One ring over one channel, to every contact point that a person has for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog
from msgspec.structs import replace

from dispatch.cases import OUTCOME_RANK
from dispatch.errors import DispatchError
from dispatch.events import Channel
from dispatch.fanout.channels import HasProviders, LiveSender, Sender, Sent
from dispatch.fanout.channels.live import Heard
from dispatch.fanout.channels.sender import Unless, always, failed
from dispatch.fanout.lanes import LIMITS, Lane, Limits
from dispatch.fanout.ring import Ring
from dispatch.fanout.turns import Place
from dispatch.identifiers import PersonId
from dispatch.roster import ContactPoint, Person, Roster, points_for

log = structlog.get_logger()

NOT_SET_UP = failed("this channel is not set up here")


class Sending:
    """The channels, by name, each with a lane of its own; but for open pages, which are asked over our own server."""

    def __init__(
        self, roster: Roster, senders: Mapping[Channel, Sender], limits: Mapping[Channel, Limits] = LIMITS
    ) -> None:
        self._roster, self._senders = roster, senders
        self._lanes = {channel: Lane(channel, limits.get(channel, Limits())) for channel in senders}
        self._provider = {channel: _provider_of(channel, sender) for channel, sender in senders.items()}

    async def send(
        self,
        ring: Ring,
        channel: Channel,
        person: Person | None,
        place: Place,
        *,
        another: bool = False,
        unless: Unless = always,
    ) -> Sent:
        """What came of it: the best over the person's contact points. Those that are gone are retired.

        `place` is that of the ring in the queues; `another`: the person can be reached another way. `unless` is
        asked at the last moment, before each try.
        """
        if channel not in self._senders:
            return NOT_SET_UP
        points = points_for(person, channel)
        if not points:
            return Sent("failed", "no contact point for this channel any more")
        if len(points) == 1:  # at once, not in a task that waits behind every open page
            results = [await self._to(point, ring, channel, place, another=another, unless=unless) for point in points]
        else:
            results = await asyncio.gather(
                *(self._to(point, ring, channel, place, another=another, unless=unless) for point in points)
            )
        for point, sent in zip(points, results, strict=True):
            if sent.gone:
                await retire(self._roster, ring.responder, point, sent.reason or "gone", by="fanout")
        return max(results, key=lambda sent: OUTCOME_RANK[sent.outcome])

    async def ring_pages(self, rings: Sequence[Ring], heard: Heard) -> None:
        """Ring the open pages of all `rings` at once; `heard` is told once of each, as soon as that is known."""
        pages = self._senders.get("live")
        if isinstance(pages, LiveSender):
            await pages.send_all(rings, heard)
        else:
            for ring in rings:
                heard(ring, NOT_SET_UP)

    async def _to(
        self,
        point: ContactPoint,
        ring: Ring,
        channel: Channel,
        place: Place,
        *,
        another: bool,
        unless: Unless,
    ) -> Sent:
        sender = self._senders[channel]
        provider = self._provider[channel](point)

        async def once() -> Sent:
            instead = await unless()
            return await sender.send(ring, point) if instead is None else instead

        return await self._lanes[channel].send(provider, place, once, another=another)


async def retire(roster: Roster, person: PersonId, point: ContactPoint, reason: str, *, by: str) -> None:
    """Put in the roster that a contact point of the person is gone; only a warning where that cannot be done now."""

    def change(person: Person) -> Person:
        points = (replace(p, retired=reason) if p == point else p for p in person.contact_points)
        return replace(person, contact_points=tuple(points))

    try:
        await roster.update_person(person, change, by=by)
    except DispatchError as error:  # it will be found gone again next time
        log.warning("point.not_retired", responder=person, reason=error.detail)


def _provider_of(channel: Channel, sender: Sender) -> Callable[[ContactPoint], str]:
    return sender.provider if isinstance(sender, HasProviders) else lambda _point: channel
