"""Whom the roster has for the steps to come of a case, remembered for a few seconds.

In a storm many households of one village are told the same, and first rings read the roster at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from dispatch.cases import Case, upcoming
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import Target
from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.roster import AID, Roster, aid_list, is_mute

FRESH_SECONDS = 5.0
REMEMBERED = 5_000

_Key = tuple[Target, GroupId | None, tuple[AreaId, ...]]
_Found = asyncio.Task[frozenset[PersonId] | None]


class Aid:
    """Asks once for all who want the same at a time."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._known: dict[_Key, tuple[float, _Found]] = {}

    async def of(self, case: Case) -> Mapping[Target, frozenset[PersonId]] | None:
        """For each target of the steps to come whom it would ring; None while the roster does not answer."""
        if not case.is_open:
            return {}
        targets = sorted(upcoming(case) & AID)
        found = await asyncio.gather(*(asyncio.shield(self._asked(case, target)) for target in targets))
        known = {target: people for target, people in zip(targets, found, strict=True) if people is not None}
        return known if len(known) == len(targets) else None

    def _asked(self, case: Case, target: Target) -> _Found:
        """Neighbouring groups are those of the group, everybody else goes by the areas."""
        by_group = target == "neighbour_leaders"
        key = (target, case.alarm.group if by_group else None, () if by_group else case.alarm.areas)
        time = asyncio.get_running_loop().time()
        known = self._known.get(key)
        if known is None or time - known[0] > FRESH_SECONDS:
            if len(self._known) > REMEMBERED:
                self._known.clear()
            known = self._known[key] = (time, asyncio.create_task(self._ask(*key)))
        return known[1]

    async def _ask(
        self, target: Target, group: GroupId | None, areas: tuple[AreaId, ...]
    ) -> frozenset[PersonId] | None:
        try:
            called, _ = await aid_list(self._roster, [target], group, areas, now())
        except Unavailable:
            return None
        return frozenset(one.person.id for one in called if not is_mute(one.person))
