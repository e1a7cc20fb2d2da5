"""Whether somebody has to do with an area: whom its own operators may name."""

from __future__ import annotations

from typing import cast

from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.roster.documents import Area, Group, Post
from dispatch.roster.store import Roster


async def has_to_do_with(roster: Roster, person: PersonId, area: AreaId) -> bool:
    """Whether `person` is bound into a group of `area` or of one below it, or can be called to its aid.

    That is: at a post there, above it or in a neighbouring area, or as the leader of a neighbouring group. Reads every
    area, post and group, whether there is such a person or not; not for the way of an alarm. Raises `Unavailable`.
    """
    areas = {known.id: known for known in [cast("Area", document) async for document in roster.all("area")]}
    within = {known for known in areas if area in _path(known, areas)}
    near = within.union(_path(area, areas), *(areas[known].neighbours for known in within))
    async for document in roster.all("post"):
        post = cast("Post", document)
        if post.area in near and person in post.everyone():
            return True
    neighbours: set[GroupId] = set()
    async for document in roster.all("group"):
        group = cast("Group", document)
        if group.area in within:
            if person == group.leader or person in group.members:
                return True
            neighbours.update(group.neighbours)
    return any(person == group.leader for group in (await roster.groups(neighbours)).values())


def _path(area: AreaId, areas: dict[AreaId, Area]) -> list[AreaId]:
    """`area` and those above it, as far as they are known."""
    path: list[AreaId] = []
    step: AreaId | None = area
    while step is not None and step not in path:
        path.append(step)
        step = areas[step].parent if step in areas else None
    return path
