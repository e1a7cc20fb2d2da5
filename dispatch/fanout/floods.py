"""A key that is stuck or mad delays nobody else: its presses take turns, and many that say the same are passed over.

Only what an open case has taken many times over in the last seconds is passed over, word for word.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from dispatch.events import Press
from dispatch.identifiers import HouseholdId

MANY, LATELY = 20, timedelta(seconds=10)
REMEMBERED = 4096

Words = tuple[str, str, str, bool, bool]


class Floods:
    """What each household pressed lately, in bounded memory."""

    def __init__(self) -> None:
        self._taken: OrderedDict[Words, deque[datetime]] = OrderedDict()
        self._locks: WeakValueDictionary[HouseholdId, asyncio.Lock] = WeakValueDictionary()

    def one_at_a_time(self, household: HouseholdId) -> asyncio.Lock:
        """Held while a press of `household` is decided: the next could only find it changed."""
        return self._locks.setdefault(household, asyncio.Lock())

    def is_flooded(self, press: Press, arrived: datetime) -> bool:
        """Whether an open case took as many presses with these very words within `LATELY` before `arrived`."""
        taken = self._taken.get(_words(press))
        return taken is not None and len(taken) == MANY and arrived - taken[0] < LATELY

    def taken(self, press: Press, arrived: datetime) -> None:
        """Note that an open case has taken `press`."""
        times = self._taken.setdefault(_words(press), deque(maxlen=MANY))
        times.append(arrived)
        self._taken.move_to_end(_words(press))
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)


def _words(press: Press) -> Words:
    return press.household, press.device, press.kind, press.silent, press.drill
