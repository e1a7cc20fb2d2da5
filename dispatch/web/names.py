"""What the roster says of the ids in cases. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import msgspec

from dispatch.events import Target
from dispatch.identifiers import AreaId, CaseId, GroupId, HouseholdId, PersonId
from dispatch.roster import Area, Group, Household, Person


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What the roster says of the ids in cases. What is not here is shown by its id."""

    people: Mapping[PersonId, Person] = MappingProxyType({})
    households: Mapping[HouseholdId, Household] = MappingProxyType({})
    groups: Mapping[GroupId, Group] = MappingProxyType({})
    areas: Mapping[AreaId, Area] = MappingProxyType({})
    aid: Mapping[CaseId, Mapping[Target, Collection[PersonId]]] = MappingProxyType({})
    """Whom the roster has for the steps to come; not here where nobody asked or it does not answer."""

    def of(self, id_: str) -> str:
        """The name of a group or an area, or the id when it has none."""
        known = self.groups.get(GroupId(id_)) or self.areas.get(AreaId(id_))
        return known.name if known else id_

    def person(self, id_: str) -> str:
        person = self.people.get(PersonId(id_))
        return person.name if person else id_

    def who(self, author: str) -> str:
        """The name behind the author of a note or closing (`responder:p-1`, `operator:wang`, `device:h-1`)."""
        role, colon, subject = author.partition(":")
        if not colon:
            return author
        if role == "device":
            household = self.households.get(HouseholdId(subject))
            return household.name if household else subject
        return self.person(subject) if role == "responder" else subject
