"""Presses that the fan-out has left lying, taken in its place.

A press is taken by the same code and under the same commit id, so that the log admits one of the two when both take it
in the same moment. Nothing is acknowledged here: the fan-out that comes back finds them on their cases.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.clock import Clock, for_server, now, of_server
from dispatch.errors import Refused, Unavailable
from dispatch.events import INTAKE, as_delivered, direct_get, press_subject
from dispatch.fanout.presses import Presses
from dispatch.identifiers import Site

log = structlog.get_logger()

READ_AT_ONCE = 256
LOOK_BACK = timedelta(hours=24)
"""How far back presses are read where the consumer is gone, and with it the word of what was taken."""


class Untaken:
    """Takes presses of one site, each once while the fan-out is away."""

    def __init__(self, nc: Client, site: Site | str, presses: Presses, clock: Clock = now) -> None:
        self._nc, self._site, self._presses, self._clock = nc, Site(site), presses, clock
        self._next = 0
        self._again: list[Msg] = []

    def forget(self) -> None:
        """The fan-out is back; when it goes once more, everything that it did not acknowledge is looked at anew."""
        self._next, self._again = 0, []

    async def take(self, after: int, before: datetime) -> None:
        """Take what was stored behind the stream sequence `after` and before the time `before`.

        What cannot be taken now is tried again at the next call. Raises `Unavailable` when nothing can be read.
        """
        again, self._again = self._again, []
        await self._take_all(again)
        self._next = max(self._next, after + 1)
        if after == 0 and self._next == 1:
            self._next = await self._first_of(self._clock() - LOOK_BACK)
        while True:
            found = await self._read({"seq": self._next})
            ripe = [message for message in found if of_server(message.metadata.timestamp) < before]
            if ripe:
                self._next = ripe[-1].metadata.sequence.stream + 1
                await self._take_all(ripe)
            if len(ripe) < READ_AT_ONCE:
                return

    async def _first_of(self, since: datetime) -> int:
        found = await self._read({"start_time": for_server(since).isoformat()}, batch=1)
        return found[0].metadata.sequence.stream if found else 1

    async def _read(self, start: dict[str, object], batch: int = READ_AT_ONCE) -> list[Msg]:
        request = {**start, "next_by_subj": press_subject(self._site, "*"), "batch": batch}
        return [as_delivered(self._nc, found, by="watch") for found in await direct_get(self._nc, INTAKE, request)]

    async def _take_all(self, messages: list[Msg]) -> None:
        taken = await asyncio.gather(*map(self._take_one, messages))
        self._again += [message for message, done in zip(messages, taken, strict=True) if not done]

    async def _take_one(self, message: Msg) -> bool:
        """Whether there is no more to be done about it."""
        try:
            await self._presses.handle(message)
        except Refused as error:  # the fan-out will put it into the DLQ
            log.error("rescue.no_press", subject=message.subject, reason=error.detail)
        except Unavailable as error:
            log.warning("rescue.press_later", subject=message.subject, reason=error.detail)
            return False
        except Exception:  # one press that cannot be taken stops none of the others
            log.exception("rescue.press_failed", subject=message.subject)
            return False
        return True
