"""The channels as the watchdog uses them: in shares of its own, with nothing of the fan-out's lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from dispatch.cases import OUTCOME_RANK
from dispatch.events import Channel
from dispatch.fanout.channels import HasProviders, Sender, Sent
from dispatch.fanout.channels.sender import Unless, always, failed
from dispatch.fanout.lanes import LATE, LIMITS, PAUSES_SECONDS, Limits
from dispatch.fanout.ring import Ring
from dispatch.fanout.sending import retire
from dispatch.fanout.shares import Shares
from dispatch.fanout.turns import Place
from dispatch.fanout.work import LeftToOthers
from dispatch.roster import ContactPoint, Person, Roster, points_for

AT_ONCE = 256
"""Over one channel."""


class OwnChannels:
    """Sends what the watchdog has to say; of several that wait for a turn the more urgent first."""

    def __init__(
        self, roster: Roster, senders: Mapping[Channel, Sender], limits: Mapping[Channel, Limits] = LIMITS
    ) -> None:
        self._roster, self._senders = roster, senders
        self._limits = {channel: limits.get(channel, Limits()) for channel in senders}
        self._shares = {channel: Shares(min(AT_ONCE, limit.at_once)) for channel, limit in self._limits.items()}

    def __contains__(self, channel: Channel) -> bool:
        """Whether it is set up here."""
        return channel in self._senders

    async def send(
        self, ring: Ring, channel: Channel, person: Person | None, place: Place, *, unless: Unless = always
    ) -> Sent:
        """The best over all of the person's contact points: the first that takes it may be an old machine's.

        Raises `LeftToOthers` for a channel that is not set up here.
        """
        if channel not in self:
            raise LeftToOthers(f"{channel} is not set up here, and left to the fan-out")
        points = points_for(person, channel) if channel != "live" else (None,)
        if not points:
            return failed("no contact point for this channel any more")
        results = await asyncio.gather(*(self._to(point, ring, channel, place, unless) for point in points))
        for point, sent in zip(points, results, strict=True):
            if sent.gone and point is not None:
                await retire(self._roster, ring.responder, point, sent.reason or "gone", by="watch")
        return max(results, key=lambda sent: OUTCOME_RANK[sent.outcome])

    async def _to(self, point: ContactPoint | None, ring: Ring, channel: Channel, place: Place, unless: Unless) -> Sent:
        """What came of it, tried again as the fan-out does: until it is final, or the channel's time is used up."""
        sender, limits, loop = self._senders[channel], self._limits[channel], asyncio.get_running_loop()
        provider = sender.provider(point) if isinstance(sender, HasProviders) else channel
        end, sent = None, LATE
        for pause in (*PAUSES_SECONDS, PAUSES_SECONDS[-1]):
            async with self._shares[channel].of(provider, place):
                if (over := await unless()) is not None:
                    return over
                end = end or loop.time() + limits.budget
                try:
                    async with asyncio.timeout(limits.seconds):
                        sent = await sender.send(ring, point)
                except TimeoutError:
                    sent = LATE
            wait = pause if sent.later is None else max(pause, sent.later)
            if sent.later is None or loop.time() + wait > end:
                break
            await asyncio.sleep(wait)
        return sent
