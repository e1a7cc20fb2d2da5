"""Who is called when a call widens: neighbours of the group and of the village, the station, the command centre."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime

from dispatch.events import Gap, Reason, Role, Target
from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.roster.call_list import Called, Wanted, found, of_posts
from dispatch.roster.documents import Area
from dispatch.roster.store import Roster

AID: frozenset[Target] = frozenset(
    {"neighbour_leaders", "neighbour_officers", "station", "command_centre", "hand_over"}
)


TELEPHONE = Gap(
    what="110 指挥中心 / 110 centre",
    reason="名册未登记，未通知任何人：请立即自行拨打110 / not in the roster, nobody was told: telephone 110 yourself",
)
"""Loud, because an operator believes otherwise that 110 knows."""


async def aid_list(
    roster: Roster,
    targets: Sequence[Target],
    group: GroupId | None,
    areas: Sequence[AreaId],
    at: datetime,
    *,
    left_out: Collection[PersonId] = (),
) -> tuple[tuple[Called, ...], tuple[Gap, ...]]:
    """Those of `targets` that come to the aid of `group` in `areas` (nearest first), and who is missing.

    Nothing is said of those who are `left_out`.

    Raises `Unavailable` alone.
    """
    path = await roster.areas(areas)
    near = [path[area] for area in areas if area in path]
    finders = {
        "neighbour_leaders": lambda: _leaders(roster, group),
        "neighbour_officers": lambda: _officers(roster, near, at),
        "station": lambda: _post(roster, "station", areas, at),
        "command_centre": lambda: _post(roster, "command_centre", areas, at),
        "hand_over": lambda: _post(roster, "emergency_centre", areas, at),
    }
    results = await asyncio.gather(*(finders[target]() for target in targets if target in finders))
    wanted = [one for people, _ in results for one in people if one[0] not in left_out]
    gaps = [gap for _, missing in results for gap in missing]
    called, missing = found(wanted, await roster.people({person for person, _ in wanted}))
    gaps += missing
    if "hand_over" in targets and not any(
        reason.role == "emergency_centre" for one in called for reason in one.reasons
    ):
        gaps = [*(gap for gap in gaps if gap.what != TELEPHONE.what), TELEPHONE]
    return called, tuple(gaps)


async def _leaders(roster: Roster, group: GroupId | None) -> tuple[list[Wanted], list[Gap]]:
    own = (await roster.groups([group])).get(group) if group else None
    names = own.neighbours if own else ()
    neighbours = await roster.groups(names)
    leaders: list[Wanted] = [
        (known.leader, Reason("group_leader", name))
        for name in names
        if (known := neighbours.get(name)) and known.leader
    ]
    what = f"group {group} 邻组组长 / leaders of neighbouring groups"
    return leaders, [] if leaders else [Gap(what=what, reason="名册未登记邻组 / the roster names none")]


async def _officers(roster: Roster, areas: Sequence[Area], at: datetime) -> tuple[list[Wanted], list[Gap]]:
    neighbours = next((area.neighbours for area in areas if area.neighbours), ())
    posts = [post for post in await roster.posts_of(neighbours) if post.role == "auxiliary_officer"]
    officers: list[Wanted] = [
        (person, Reason("auxiliary_officer", post.area)) for post in posts for person in post.on_duty(at)
    ]
    if officers:
        return officers, []
    reason = "名册未登记邻村或无人在岗 / the roster names none, or nobody is on duty"
    return [], [Gap(what="邻村辅警 / auxiliary officers of neighbouring villages", reason=reason)]


async def _post(roster: Roster, role: Role, areas: Sequence[AreaId], at: datetime) -> tuple[list[Wanted], list[Gap]]:
    order = {area: place for place, area in enumerate(areas)}
    posts = [post for post in await roster.posts_of(areas) if post.role == role]
    return of_posts(role, sorted(posts, key=lambda post: order[post.area]), at)
