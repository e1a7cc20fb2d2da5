"""A key that is stuck or mad delays nobody else: its presses take turns, and many that say the same are passed over.

Only what an open case has taken many times over in the last seconds is passed over, word for word; and only where
the case was seen open after the press had arrived, for the next press after a closing is another emergency.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from dispatch.events import Press
from dispatch.identifiers import HouseholdId

MANY, LATELY = 20, timedelta(seconds=10)
SKEW = timedelta(seconds=1)
"""How far our clock may be ahead of the server's, which says when a press arrived."""
REMEMBERED = 4096
LETTERS, LETTERS_WITHIN = 20, timedelta(minutes=10)
"""So many unreadable presses of a household are put aside; whoever sends more would push all other letters out."""

Words = tuple[str, str, str, bool, bool]


class Floods:
    """What each household pressed lately, in bounded memory."""

    def __init__(self) -> None:
        self._taken: OrderedDict[Words, deque[datetime]] = OrderedDict()
        self._seen_open: dict[Words, datetime] = {}
        self._unreadable: OrderedDict[str, deque[tuple[int, datetime]]] = OrderedDict()
        self._locks: WeakValueDictionary[HouseholdId, asyncio.Lock] = WeakValueDictionary()

    def one_at_a_time(self, household: HouseholdId) -> asyncio.Lock:
        """Held while a press of `household` is decided: the next could only find it changed."""
        return self._locks.setdefault(household, asyncio.Lock())

    def is_flooded(self, press: Press, arrived: datetime) -> bool:
        """Whether an open case took as many presses with these very words within `LATELY`, and was open after this."""
        words = _words(press)
        taken = self._taken.get(words)
        many = taken is not None and len(taken) == MANY and arrived - taken[0] < LATELY
        return many and arrived < self._seen_open[words] - SKEW

    def taken(self, press: Press, arrived: datetime, seen_open: datetime) -> None:
        """Note that a case has taken `press`, which was open at `seen_open`, by our clock, or later."""
        words = _words(press)
        self._taken.setdefault(words, deque(maxlen=MANY)).append(arrived)
        self._taken.move_to_end(words)
        self._seen_open[words] = seen_open
        if len(self._taken) > REMEMBERED:
            del self._seen_open[self._taken.popitem(last=False)[0]]

    def is_rubbish(self, subject: str, seq: int, arrived: datetime) -> bool:
        """Whether so many messages of `subject` could not be read lately that this one, at `seq`, needs no letter."""
        lately = self._unreadable.setdefault(subject, deque(maxlen=LETTERS))
        self._unreadable.move_to_end(subject)
        if len(self._unreadable) > REMEMBERED:
            self._unreadable.popitem(last=False)
        if any(known == seq for known, _ in lately):  # it came again, and may have no letter yet
            return False
        if len(lately) == LETTERS and arrived - lately[0][1] < LETTERS_WITHIN:
            return True
        lately.append((seq, arrived))
        return False


def _words(press: Press) -> Words:
    return press.household, press.device, press.kind, press.silent, press.drill
