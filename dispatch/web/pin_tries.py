"""How often a household's PIN may be tried: a few times, then a wait. The alarm goes on meanwhile.

The tries of all serve processes are counted in one bucket, by compare-and-set, and outlive a restart there. Where it
does not answer in time each process counts for itself: who is made to wait by us could not cancel, and whoever guesses
gets no more than `TRIES` of each process.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic

import msgspec
import structlog

from dispatch.access import Bucket
from dispatch.clock import Clock, now
from dispatch.errors import TooFrequent, Unavailable
from dispatch.identifiers import HouseholdId, Site

log = structlog.get_logger()

TRIES = 4
WITHIN_SECONDS = 60.0
REMEMBERED_HOUSEHOLDS = 10_000
CHECKS_AT_ONCE = 2
"""Each takes 64 MiB and some 50 ms of a processor that takes alarms, too."""
STORE_SECONDS = 1.0
"""How long the bucket may take to count a try."""
WRITERS_AT_ONCE = 4 * TRIES
"""Each write that is lost to another is a try that counted: so many in a row are too many."""

_times = msgspec.json.Decoder(list[float])


class PinTries:
    """Counts the tries of one site in `bucket`, which must be read from its leader and forget in its own time."""

    def __init__(
        self, bucket: Bucket, site: Site | str, *, clock: Clock = now, ticks: Callable[[], float] = monotonic
    ) -> None:
        self._bucket, self._site, self._clock, self._ticks = bucket, site, clock, ticks
        self._here: OrderedDict[HouseholdId, deque[float]] = OrderedDict()
        self.checking = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def take(self, household: HouseholdId) -> None:
        """Count a try, before it is known to be right. Raises `TooFrequent` for one too many, which does not count."""
        try:
            async with asyncio.timeout(STORE_SECONDS):
                ages = await self._take_from_all(household)
        except (Unavailable, TimeoutError) as error:
            log.warning("pin.counted_here_alone", household=household, error=repr(error))
            self._take_here(household)
        else:
            self._remember(household, (self._ticks() - age for age in ages))

    async def was_right(self, household: HouseholdId) -> None:
        """Forget the tries: either PIN was said."""
        self._here.pop(household, None)
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(STORE_SECONDS):
                await self._bucket.put(self._key(household), msgspec.json.encode([]))

    def _take_here(self, household: HouseholdId) -> None:
        tried, time = self._here.get(household, deque()), self._ticks()
        if len(tried) == TRIES and (left := tried[0] + WITHIN_SECONDS - time) > 0:
            raise _too_frequent(left)
        self._remember(household, (*tried, time))

    def _remember(self, household: HouseholdId, tried: Iterable[float]) -> None:
        self._here[household] = deque(tried, maxlen=TRIES)
        self._here.move_to_end(household)
        if len(self._here) > REMEMBERED_HOUSEHOLDS:
            self._here.popitem(last=False)

    async def _take_from_all(self, household: HouseholdId) -> list[float]:
        """How long ago, in seconds, the tries were that count, this one the last."""
        for _ in range(WRITERS_AT_ONCE):
            value, revision = await self._bucket.get_with_revision(self._key(household))
            at = self._clock().timestamp()
            tried = [time for time in _read(value) if at - time < WITHIN_SECONDS]
            if len(tried) >= TRIES:
                raise _too_frequent(min(tried) + WITHIN_SECONDS - at)
            if await self._bucket.replace(self._key(household), msgspec.json.encode([*tried, at]), revision):
                return [at - time for time in (*tried, at)]
        raise _too_frequent(1.0)

    def _key(self, household: HouseholdId) -> str:
        return f"{self._site}.{household}"


def _read(value: bytes | None) -> list[float]:
    try:
        return _times.decode(value) if value else []
    except msgspec.DecodeError:
        return []


def _too_frequent(left: float) -> TooFrequent:
    return TooFrequent(
        f"pin: {TRIES} tries a minute; the alarm goes on (警报继续)",
        retry_after=round(min(max(left, 0.1), WITHIN_SECONDS), 1),
        field="pin",
    )
