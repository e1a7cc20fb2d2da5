"""Who takes part in a drill, before anybody is rung."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import cast

import msgspec

from dispatch.cases import CaseDesk
from dispatch.errors import Malformed, NotFound, Refused
from dispatch.events import Gap
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId
from dispatch.roster import Area, Group, Household, Roster, call_list

MOST_HOUSEHOLDS = 500
KEPT_PER_GROUP = 20
"""Households of a group that are looked at for one without an open case."""
AT_ONCE = 32


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: groups, or every group of an area, or households themselves."""

    groups: tuple[GroupId, ...] = ()
    area: AreaId | None = None
    households: tuple[HouseholdId, ...] = ()


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A household that takes part: who will be rung for it, and the areas it belongs to, smallest first."""

    household: Household
    group: Group | None
    people: tuple[PersonId, ...]
    areas: tuple[AreaId, ...]


class DrillPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A household of each group, and what was chosen and cannot take part, with the reason."""

    planned: tuple[Planned, ...]
    left_out: tuple[Gap, ...]

    @property
    def people(self) -> set[PersonId]:
        return {person for one in self.planned for person in one.people}

    @property
    def areas(self) -> tuple[AreaId, ...]:
        """The areas to which all of it belongs, smallest first."""
        if not self.planned:
            return ()
        return tuple(area for area in self.planned[0].areas if all(area in one.areas for one in self.planned))


async def plan_drill(
    roster: Roster, desk: CaseDesk, choice: Choice, *, within: AreaId | None, at: datetime
) -> DrillPlan:
    """Who would be rung. A household with an open case is left out; for a group another of its households is taken.

    `within` is the area of who asks; None: all. Raises `Malformed` for no choice or several, `NotFound` for what is not
    in the roster or not in that area, `Refused` for more than `MOST_HOUSEHOLDS`, `Unavailable`.
    """
    if sum(map(bool, (choice.groups, choice.area, choice.households))) != 1:
        raise Malformed("choose groups, or an area, or households: one of the three", field="groups")
    planner = _Planner(roster, desk, within, at)
    if choice.households:
        candidates = await planner.of_households(choice.households)
    else:
        groups = await (planner.named(choice.groups) if choice.groups else planner.of_area(cast("AreaId", choice.area)))
        candidates = await planner.of_groups(groups)
    if len(candidates) > MOST_HOUSEHOLDS:
        raise Refused(f"a drill of {len(candidates)} households: take {MOST_HOUSEHOLDS} at most", field="area")
    return await planner.plan(candidates)


Candidates = list[tuple[str, Group | None, Sequence[Household]]]
"""What was chosen in words, its group, and the households of which one takes part."""


class _Planner:
    def __init__(self, roster: Roster, desk: CaseDesk, within: AreaId | None, at: datetime) -> None:
        self._roster, self._desk, self._within, self._at = roster, desk, within, at
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of_households(self, ids: Sequence[HouseholdId]) -> Candidates:
        found = await self._roster.households(ids)
        for id_ in ids:
            if id_ not in found or not await self._is_within(found[id_].area):
                raise NotFound(f"there is no household {id_[:80]!r}, or none in your area", field="households")
        groups = await self._roster.groups({home.group for home in found.values() if home.group})
        return [
            (f"household {id_}", groups.get(found[id_].group or GroupId("")), [found[id_]])
            for id_ in dict.fromkeys(ids)
        ]

    async def named(self, ids: Sequence[GroupId]) -> list[Group]:
        found = await self._roster.groups(ids)
        for id_ in ids:
            if id_ not in found or not await self._is_within(found[id_].area):
                raise NotFound(f"there is no group {id_[:80]!r}, or none in your area", field="groups")
        return [found[id_] for id_ in dict.fromkeys(ids)]

    async def of_area(self, area: AreaId) -> list[Group]:
        if not await self._roster.areas([area]) or not await self._is_within(area):
            raise NotFound(f"there is no area {area[:80]!r}, or none that you may see", field="area")
        groups = await groups_within(self._roster, area)
        if not groups:
            raise NotFound(f"area {area!r} has no joint-defence group", field="area")
        return groups

    async def of_groups(self, groups: Sequence[Group]) -> Candidates:
        homes: defaultdict[GroupId, dict[HouseholdId, Household]] = defaultdict(dict)
        wanted = {group.id for group in groups}
        async with aclosing(self._roster.as_read("household")) as documents:
            async for document in documents:
                home = cast("Household", document)
                if home.group in wanted:
                    homes[home.group][home.id] = home
        return [
            (
                f"group {group.id} {group.name}",
                group,
                sorted(homes[group.id].values(), key=lambda home: home.id)[:KEPT_PER_GROUP],
            )
            for group in groups
        ]

    async def plan(self, candidates: Candidates) -> DrillPlan:
        results = await asyncio.gather(*(self._one(*candidate) for candidate in candidates))
        return DrillPlan(
            planned=tuple(one for one in results if isinstance(one, Planned)),
            left_out=tuple(one for one in results if isinstance(one, Gap)),
        )

    async def _one(self, what: str, group: Group | None, homes: Sequence[Household]) -> Planned | Gap:
        async with self._turns:
            for home in homes:
                if not await self._is_busy(home.id):
                    listed = await call_list(self._roster, home.id, self._at)
                    people = tuple(called.person.id for called in listed.called)
                    areas = tuple(area.id for area in listed.areas)
                    return Planned(household=home, group=group, people=people, areas=areas)
        if homes:
            return Gap(what=what, reason="有警情或演练正在进行 / a case of theirs is open")
        return Gap(what=what, reason="没有住户 / it has no household")

    async def _is_busy(self, household: HouseholdId) -> bool:
        head = await self._desk.log.head(household)
        newest = await self._desk.load(head.case) if head is not None else None
        return newest is not None and (newest.is_open or await self._desk.under_duress(newest) is not None)

    async def _is_within(self, area: AreaId) -> bool:
        return self._within is None or self._within in {above.id for above in await self._roster.area_path(area)}


async def groups_within(roster: Roster, area: AreaId | None) -> list[Group]:
    """The groups of `area` and of those below it, all when it is None, by id. Reads every group: not for an alarm."""
    below: dict[AreaId, bool] = {}
    found: list[Group] = []
    async for document in roster.all("group"):
        group = cast("Group", document)
        if area is not None and group.area not in below:
            below[group.area] = area in _ids(await roster.area_path(group.area))
        if area is None or below[group.area]:
            found.append(group)
    return sorted(found, key=lambda group: group.id)


def _ids(areas: Iterable[Area]) -> set[AreaId]:
    return {area.id for area in areas}
