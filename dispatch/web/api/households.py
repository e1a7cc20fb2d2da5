"""Finding a household by what a caller on the telephone says: their name, where they live, their number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from typing_extensions import TypedDict

from dispatch.identifiers import AreaId, HouseholdId
from dispatch.roster import Household, Roster
from dispatch.web.api.searching import MOST, SECONDS, SearchAsked, is_meant
from dispatch.web.endpoint import Request


class FoundHousehold(TypedDict):
    id: str
    name: str
    address: str
    phone: str | None
    areas: list[str]


class HouseholdsFound(TypedDict):
    households: list[FoundHousehold]
    complete: bool


async def find_households(request: Request[None, SearchAsked]) -> HouseholdsFound:
    """Households of the operator's area with every word of `q` in number, name or address, or `q` in the telephone.

    One whose number is `q` comes first and is found in any roster, however large. `complete` is false when there
    may be more, because `MOST` were found or `SECONDS` had passed. Raises `Unavailable` without the roster.
    """
    search = _Search(request.parts.deps.roster, request.principal.area)
    complete = False
    await search.named(request.query.q.strip())
    try:
        async with asyncio.timeout(SECONDS), request.parts.searching:
            complete = await search.read(request.query.words)
    except TimeoutError:
        pass
    return {"households": list(search.found.values()), "complete": complete}


class _Search:
    def __init__(self, roster: Roster, within: AreaId | None) -> None:
        self._roster, self._within = roster, within
        self._paths: dict[AreaId, dict[AreaId, str]] = {}
        self.found: dict[HouseholdId, FoundHousehold] = {}

    async def named(self, id_: str) -> None:
        household = await self._roster.household(HouseholdId(id_))
        if household is not None:
            await self._keep(household)

    async def read(self, words: list[str]) -> bool:
        """Find those in whom every one of `words` stands. Whether they are all."""
        everybody = cast("AsyncGenerator[Household]", self._roster.as_read("household"))
        async with aclosing(everybody) as households:
            async for household in households:
                if is_meant(words, household.phone, household.id, household.name, household.address):
                    await self._keep(household)
                if len(self.found) >= MOST:
                    return False
        return True

    async def _keep(self, household: Household) -> None:
        if household.area not in self._paths:
            path = await self._roster.area_path(household.area)
            self._paths[household.area] = {area.id: area.name for area in path}
        areas = self._paths[household.area]
        if self._within is None or self._within in areas:
            self.found[household.id] = {
                "id": household.id,
                "name": household.name,
                "address": household.address,
                "phone": household.phone,
                "areas": list(areas.values()),
            }
