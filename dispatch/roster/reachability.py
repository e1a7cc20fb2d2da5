"""How well a joint-defence group can be reached, and whom it cannot count on, with the reason. Pure.

The score of a group is the share of its bound people who are `proven`: they have a contact point that works, and were
reached within `PROOF_DAYS`: a phone said that it rang, or they answered. A drill proves it as an alarm does. What a
provider takes without a receipt proves nothing, and an open page is no contact point: it is closed at night.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from dispatch.identifiers import PersonId
from dispatch.roster.documents import Group, Person

PROOF_DAYS = 30
"""A group that drills once a month keeps its score."""

Standing = Literal["proven", "unproven", "retired", "none", "missing"]
"""`unproven`: a contact point works as far as is known, but nobody was reached over it lately; `retired`: every
contact point has expired (a push subscription answered 404 or 410); `none`: there is none; `missing`: not in the
roster."""


class Reachable(msgspec.Struct, frozen=True, kw_only=True):
    """How one of a group stands, when they were last reached, and why contact points of theirs were retired."""

    person: PersonId
    name: str
    standing: Standing
    proven_at: datetime | None = None
    retired: tuple[str, ...] = ()


class GroupReach(msgspec.Struct, frozen=True, kw_only=True):
    """A group with each of its bound people."""

    group: Group
    people: tuple[Reachable, ...]

    @property
    def proven(self) -> int:
        return sum(one.standing == "proven" for one in self.people)

    @property
    def score(self) -> float:
        """From 0 to 1; 0 for a group of nobody."""
        return self.proven / len(self.people) if self.people else 0.0


def bound(group: Group) -> tuple[PersonId, ...]:
    """Those bound into a group, its leader first."""
    return tuple(dict.fromkeys((*([group.leader] if group.leader else []), *group.members)))


def reach_of(
    group: Group, people: Mapping[PersonId, Person], proofs: Mapping[PersonId, datetime], at: datetime
) -> GroupReach:
    """How `group` stands at `at`; `proofs` is when each was last reached, who ever was."""
    return GroupReach(
        group=group, people=tuple(_one(id_, people.get(id_), proofs.get(id_), at) for id_ in bound(group))
    )


def _one(id_: PersonId, person: Person | None, proof: datetime | None, at: datetime) -> Reachable:
    if person is None:
        return Reachable(person=id_, name="", standing="missing")
    retired = tuple(point.retired for point in person.contact_points if point.retired is not None)
    return Reachable(
        person=id_, name=person.name, standing=_standing(person, proof, at), proven_at=proof, retired=retired
    )


def _standing(person: Person, proof: datetime | None, at: datetime) -> Standing:
    if not person.contact_points:
        return "none"
    if all(point.retired is not None for point in person.contact_points):
        return "retired"
    return "proven" if proof is not None and at - proof <= timedelta(days=PROOF_DAYS) else "unproven"
