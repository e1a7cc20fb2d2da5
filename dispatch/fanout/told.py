"""Who was told of a commit by somebody who was cut off: left behind for whoever deals with it next.

A worker that stops, or a watchdog that steps back, hands over what it has half done. Without this everybody would be
told once more, and a text does not take the place of the one before. Nothing is written, and nothing read, of a commit
that is dealt with at once. Who was killed leaves nothing: then each may be told once more.
"""

from __future__ import annotations

import msgspec
import structlog
from nats.aio.client import Client

from dispatch.access.bucket import Bucket
from dispatch.errors import Unavailable
from dispatch.events import TOLD, Channel
from dispatch.identifiers import PersonId, Site

log = structlog.get_logger()

Told = set[tuple[PersonId, Channel]]


class ToldBook:
    """The book of one site, in the bucket `TOLD`, by the commit's sequence; empty where nobody can reach or read it."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._bucket, self._site = Bucket(nc, TOLD, direct=False), site

    async def of(self, seq: int) -> Told:
        """Who was told of the commit at `seq`, as far as others left it behind."""
        try:
            found = await self._bucket.get(self._key(seq))
            return msgspec.json.decode(found, type=Told) if found is not None else set()
        except Unavailable as error:
            log.warning("told.unknown", seq=seq, reason=error.detail)
        except msgspec.DecodeError as error:  # of another version of ours: rather told twice than never
            log.warning("told.unreadable", seq=seq, reason=str(error))
        return set()

    async def leave(self, seq: int, told: Told) -> None:
        """Leave behind that these were told of the commit at `seq`."""
        try:
            await self._bucket.put(self._key(seq), msgspec.json.encode(told))
        except Unavailable as error:
            log.warning("told.lost", seq=seq, reason=error.detail)

    def _key(self, seq: int) -> str:
        return f"{self._site}.{seq}"
