"""What the roster said when a case was planned, kept for the calls that follow at once in the same process.

It is read ahead for a press that is still being stored: a millisecond less until everybody rings.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

import msgspec

from dispatch.cases import Case
from dispatch.clock import Clock, now
from dispatch.errors import Unavailable
from dispatch.fanout.ring import Scene, scene_of
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.roster import CallList, Person, Roster, call_list

FRESH = timedelta(seconds=5)
REMEMBERED = 4096
AHEAD_SECONDS = 0.25
"""What was read ahead counts for so long: a change that is older than the press by more is never missed, even where the
press was not overheard."""
AHEAD_AT_ONCE = 8
"""Nothing is read ahead while so much is read: then it is not reading that a press waits for."""


class Page(msgspec.Struct, frozen=True):
    """The people to call for a case, and where help must come to."""

    people: dict[PersonId, Person]
    scene: Scene


class Directory:
    """The roster, read once for a plan and its first calls; what is older than five seconds is read again."""

    def __init__(self, roster: Roster, clock: Clock = now, timer: Callable[[], float] = monotonic) -> None:
        """By `timer` goes what was read ahead, in seconds: a clock that is set back would let it count for ever."""
        self._roster, self._clock, self._timer = roster, clock, timer
        self._remembered: OrderedDict[HouseholdId, tuple[datetime, CallList]] = OrderedDict()
        self._ahead: OrderedDict[HouseholdId, tuple[float, asyncio.Task[CallList | None] | None]] = OrderedDict()
        self._reading = 0

    def read_ahead(self, household: HouseholdId) -> None:
        """Begin to read who is called for `household`, whose press is on its way; not where much is read already."""
        at = self._timer()
        while self._ahead and at - next(iter(self._ahead.values()))[0] > AHEAD_SECONDS:
            self._ahead.popitem(last=False)
        if household not in self._ahead and len(self._ahead) + self._reading < AHEAD_AT_ONCE:
            self._ahead[household] = (at, asyncio.create_task(self._listed_ahead(household)))

    def outdate(self, household: HouseholdId) -> None:
        """Make no plan of what was read ahead for an earlier press: something may have changed before this one."""
        if household in self._ahead:
            self._ahead[household] = (self._ahead[household][0], None)

    async def call_list(self, household: HouseholdId) -> CallList:
        """Who is called for `household` now. Raises `Unavailable`."""
        at, ahead = self._ahead.pop(household, (None, None))
        self._reading += 1
        try:
            if at is not None and ahead is not None and self._timer() - at <= AHEAD_SECONDS:
                listed = await ahead
                if listed is not None:
                    return listed
            return await self._listed(household)
        finally:
            self._reading -= 1

    async def _listed_ahead(self, household: HouseholdId) -> CallList | None:
        with suppress(Unavailable):  # it is read anew, and that says so
            return await self._listed(household)
        return None

    async def _listed(self, household: HouseholdId) -> CallList:
        at = self._clock()
        listed = await call_list(self._roster, household, at)
        self._remembered[household] = (at, listed)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return listed

    async def page(self, case: Case, wanted: Collection[PersonId]) -> Page:
        """What is needed to call `wanted` for `case`; who left the roster is missing. Raises `Unavailable`."""
        at, listed = self._remembered.get(case.alarm.household, (None, CallList()))
        people = {called.person.id: called.person for called in listed.called}
        if at is None or self._clock() - at > FRESH or not people.keys() >= set(wanted):
            return await self._read(case, wanted)
        return Page(people, scene_of(case, listed.household, {area.id: area for area in listed.areas}))

    async def _read(self, case: Case, wanted: Collection[PersonId]) -> Page:
        people, household, areas = await asyncio.gather(
            self._roster.people(wanted),
            self._roster.household(case.alarm.household),
            self._roster.areas(case.alarm.areas),
        )
        return Page(people, scene_of(case, household, areas))
