"""How often a household's PIN may be tried: a few times, then a wait. The alarm goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from time import monotonic

from dispatch.errors import TooFrequent
from dispatch.identifiers import HouseholdId

TRIES = 4
WITHIN_SECONDS = 60.0
REMEMBERED_HOUSEHOLDS = 10_000
CHECKS_AT_ONCE = 2
"""Each takes 64 MiB and some 50 ms of a processor that takes alarms, too."""


class PinTries:
    """Counts in this process alone; of several, each lets `TRIES` pass."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._tried: OrderedDict[HouseholdId, deque[float]] = OrderedDict()
        self.checking = asyncio.Semaphore(CHECKS_AT_ONCE)

    def take(self, household: HouseholdId) -> None:
        """Count a try, before it is known to be right. Raises `TooFrequent` for one too many, which does not count."""
        time = self._clock()
        tried = self._tried.setdefault(household, deque(maxlen=TRIES))
        self._tried.move_to_end(household)
        if len(self._tried) > REMEMBERED_HOUSEHOLDS:
            self._tried.popitem(last=False)
        if len(tried) == TRIES and time - tried[0] < WITHIN_SECONDS:
            raise TooFrequent(
                f"pin: {TRIES} tries a minute; the alarm goes on (警报继续)",
                retry_after=round(tried[0] + WITHIN_SECONDS - time, 1),
                field="pin",
            )
        tried.append(time)

    def was_right(self, household: HouseholdId) -> None:
        """Forget the tries: either PIN was said."""
        self._tried.pop(household, None)
