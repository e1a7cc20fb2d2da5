"""What nats-server keeps of buttons that are gone is discarded: it keeps it for ever.

Whoever signs in without asking for a clean session leaves one behind, and a library that makes up a client id for
each connection leaves one each time. The consumers of a session, most of what it costs, the server deletes itself
(`consumer_inactive_threshold`); its record, and its place in the server's memory, are discarded here when they are old.

No button misses them. Answers are of QoS 0, which MQTT keeps for nobody who is away, and whoever connects is told
that there is no session any more, and subscribes. Nobody who is connected is touched: each sign-in writes the record
anew, and none lasts longer than the gate's permission. (Why not the record alone: docs/adr/0010.)
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from dispatch.clock import Clock, for_server, now
from dispatch.errors import Unavailable
from dispatch.events.stopping import stopping
from dispatch.intake.callout import LIFETIME
from dispatch.intake.clean_session import CleanSession

log = structlog.get_logger()

STREAM, RECORDS = "$MQTT_sess", "$MQTT.sess.>"
OLD = LIFETIME + timedelta(minutes=10)
"""Nobody is connected for so long without signing in anew."""
LOOK_SECONDS = 300.0
MOST_FAILURES = 3
"""So many in a row, and the rest is left to the next look."""


class _Record(msgspec.Struct):
    id: str


class Sessions:
    """Discards old sessions, those of all sites of the server, at `mqtt_url`, by a login that passes no gate."""

    def __init__(self, nc: Client, mqtt_url: str, clock: Clock = now) -> None:
        """Raises `SetupError` for a URL that is not one of MQTT."""
        self._js, self._clock, self._mqtt = nc.jetstream(), clock, CleanSession(mqtt_url)

    async def run(self) -> None:
        """Look every few minutes until cancelled. Several processes may, and seldom do so at the same moment."""
        while not stopping():
            await asyncio.sleep(LOOK_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311  (nothing secret)
            try:
                if discarded := await self.discard_old():
                    log.info("sessions.discarded", sessions=discarded)
            except (NatsError, TimeoutError, Unavailable) as error:  # they are still there at the next look
                log.warning("sessions.not_discarded", error=repr(error))

    async def discard_old(self) -> int:
        """How many were discarded, one after the other: presses go first.

        Old is what is old as the look begins: discarding, too, signs in, and the server takes that record away only
        after it has closed. Raises `Unavailable` or what nats-py raises when it cannot go on.
        """
        discarded = failures = 0
        before = for_server(self._clock()) - OLD
        record = await self._from(1, before)
        while record is not None and not stopping():
            try:
                await self._mqtt.discard(msgspec.json.decode(record.data or b"", type=_Record).id)
                discarded, failures = discarded + 1, 0
            except msgspec.DecodeError as error:
                log.warning("sessions.unreadable", seq=record.seq, reason=str(error))
            except Unavailable:
                failures += 1
                if failures == MOST_FAILURES:
                    raise
            record = await self._from((record.seq or 0) + 1, before)
        return discarded

    async def _from(self, seq: int, before: datetime) -> RawStreamMsg | None:
        """The first record at `seq` or behind it, if written `before`. The oldest stand first: none is ever changed."""
        try:
            record = await self._js.get_msg(STREAM, seq=seq, subject=RECORDS, next=True)
        except NotFoundError:  # there is none, or no button has ever signed in
            return None
        if record.time is None:
            raise Unavailable("nats-server does not say how old a session is")
        return record if record.time < before else None
