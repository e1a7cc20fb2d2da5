"""What the roster said when a case was planned, kept for the calls that follow at once in the same process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from dispatch.cases import Case
from dispatch.clock import Clock, now
from dispatch.fanout.ring import Scene, scene_of
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.roster import CallList, Person, Roster, call_list

FRESH = timedelta(seconds=5)
REMEMBERED = 4096


class Page(msgspec.Struct, frozen=True):
    """The people to call for a case, and where help must come to."""

    people: dict[PersonId, Person]
    scene: Scene


class Directory:
    """The roster, read once for a plan and its first calls; what is older than five seconds is read again."""

    def __init__(self, roster: Roster, clock: Clock = now) -> None:
        self._roster, self._clock = roster, clock
        self._remembered: OrderedDict[HouseholdId, tuple[datetime, CallList]] = OrderedDict()

    async def call_list(self, household: HouseholdId) -> CallList:
        """Who is called for `household` now. Raises `Unavailable`."""
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
