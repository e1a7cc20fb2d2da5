"""Who has to do with an area: whom its own operators may name."""

from __future__ import annotations

from typing import cast

from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.roster.documents import Area, Group, Post
from dispatch.roster.store import Roster

Places = dict[PersonId, list[str]]
"""People, each with the groups and posts that they have, in words."""


async def who_has_to_do_with(roster: Roster, area: AreaId | None) -> Places:
    """Those who are bound into a group of `area` or of one below it, or can be called to its aid; None: of all areas.

    The latter are at a post there, above it or in a neighbouring area, or lead a neighbouring group. Reads every area,
    post and group; not for the way of an alarm. Raises `Unavailable`.
    """
    areas = {known.id: known for known in [cast("Area", document) async for document in roster.all("area")]}
    within = {known for known in areas if area is None or area in _path(known, areas)}
    above = _path(area, areas) if area is not None else []
    near = within.union(above, *(areas[known].neighbours for known in within))
    places: Places = {}

    def at(person: PersonId, of: Group | Post) -> None:
        place = areas[of.area].name if of.area in areas else ""
        places.setdefault(person, []).append(of.name if of.name.startswith(place) else f"{place} {of.name}")

    async for document in roster.all("post"):
        post = cast("Post", document)
        for person in post.everyone() if post.area in near else ():
            at(person, post)
    neighbours: set[GroupId] = set()
    async for document in roster.all("group"):
        group = cast("Group", document)
        if group.area in within:
            for person in dict.fromkeys((*group.members, *filter(None, [group.leader]))):
                at(person, group)
            neighbours.update(group.neighbours)
    for group in (await roster.groups(neighbours)).values():
        if group.leader is not None and group.area not in within:
            at(group.leader, group)
    return places


async def has_to_do_with(roster: Roster, person: PersonId, area: AreaId) -> bool:
    """Whether `person` is one of those. Reads as much, whether there is such a person or not."""
    return person in await who_has_to_do_with(roster, area)


def _path(area: AreaId, areas: dict[AreaId, Area]) -> list[AreaId]:
    """`area` and those above it, as far as they are known."""
    path: list[AreaId] = []
    step: AreaId | None = area
    while step is not None and step not in path:
        path.append(step)
        step = areas[step].parent if step in areas else None
    return path
