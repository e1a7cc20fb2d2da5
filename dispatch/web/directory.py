"""The names behind the ids of a case, from the roster, remembered for a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Generic, TypeVar

import structlog

from dispatch.cases import Case
from dispatch.errors import Unavailable
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId
from dispatch.roster import Area, Group, Household, Person, Roster
from dispatch.web.aid import Aid
from dispatch.web.names import Names

log = structlog.get_logger()

FRESH_SECONDS = 5.0
REMEMBERED = 20_000

K = TypeVar("K", bound=str)
V = TypeVar("V")


class _Shelf(Generic[K, V]):
    """Documents of one kind. One that is no longer fresh is fetched anew, and kept when that cannot be done."""

    def __init__(self, fetch: Callable[[Collection[K]], Awaitable[dict[K, V]]]) -> None:
        self._fetch = fetch
        self._known: dict[K, tuple[float, V | None]] = {}

    async def get(self, ids: Iterable[K]) -> dict[K, V]:
        wanted, time = set(ids), asyncio.get_running_loop().time()
        old = [id_ for id_ in wanted if (known := self._known.get(id_)) is None or time - known[0] > FRESH_SECONDS]
        if old:
            await self._renew(old, time)
        return {id_: known[1] for id_ in wanted if (known := self._known.get(id_)) and known[1] is not None}

    async def _renew(self, ids: list[K], time: float) -> None:
        try:
            found = await self._fetch(ids)
        except Unavailable as error:
            log.warning("directory.stale", reason=error.detail)
            return
        if len(self._known) > REMEMBERED:
            self._known.clear()
        for id_ in ids:
            self._known[id_] = (time, found.get(id_))


class Directory:
    """Names for cases. While the roster does not answer, those known before are given, else none."""

    def __init__(self, roster: Roster) -> None:
        self._people: _Shelf[PersonId, Person] = _Shelf(roster.people)
        self._households: _Shelf[HouseholdId, Household] = _Shelf(roster.households)
        self._groups: _Shelf[GroupId, Group] = _Shelf(roster.groups)
        self._areas: _Shelf[AreaId, Area] = _Shelf(roster.areas)
        self._aid = Aid(roster)
        self._area_path = roster.area_path

    async def lying_in(self, area: AreaId, households: Collection[HouseholdId]) -> set[HouseholdId]:
        """Those of `households` that lie in `area` or below it; none of whom the roster does not say so."""
        known = await self._households.get(households)
        try:
            return {
                id_
                for id_, household in known.items()
                if area in {above.id for above in await self._area_path(household.area)}
            }
        except Unavailable as error:
            log.warning("directory.stale", reason=error.detail)
            return set()

    async def names_for(self, cases: Iterable[Case], *, aid: bool = False) -> Names:
        """What is needed to show `cases`, which have all begun; at most four round trips, at once.

        Give them as whoever is shown them may know them: what is asked of the roster tells by its time what else is.

        With `aid` also whom the steps to come can call, as a household's device is told.
        """
        cases = list(cases)
        reasons = {reason for case in cases for call in case.calls.values() for reason in call.reasons}
        in_group = {"group_leader", "member"}
        people, households, groups, areas = await asyncio.gather(
            self._people.get({person for case in cases for person in _people_of(case)}),
            self._households.get(case.alarm.household for case in cases),
            self._groups.get(
                {GroupId(r.of) for r in reasons if r.role in in_group} | {c.alarm.group for c in cases if c.alarm.group}
            ),
            self._areas.get(
                {AreaId(r.of) for r in reasons if r.role not in in_group} | {a for c in cases for a in c.alarm.areas}
            ),
        )
        left_out = {one.person for household in households.values() for one in household.left_out}
        if left_out - people.keys():
            people |= await self._people.get(left_out)
        coming = {case.id: found for case in cases if aid and (found := await self._aid.of(case)) is not None}
        return Names(people=people, households=households, groups=groups, areas=areas, aid=coming)


def _people_of(case: Case) -> set[PersonId]:
    authors = [note.author for note in case.notes] + ([case.closing.by] if case.closing else [])
    return (
        {call.responder for call in case.calls.values()}
        | case.spared
        | {PersonId(a.removeprefix("responder:")) for a in authors if a.startswith("responder:")}
    )
