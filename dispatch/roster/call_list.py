"""Who is called for a household, and why: the group at once, and who is on duty at the nearest posts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from dispatch.events import Gap, Reason, Role
from dispatch.identifiers import AreaId, HouseholdId, PersonId
from dispatch.roster.documents import Area, Group, Household, Person, Post, left_out_of
from dispatch.roster.store import Roster

OFFICERS: tuple[Role, ...] = ("police_assistant", "auxiliary_officer", "community_police_officer")
"""The posts that are called at once; the station is called when the call widens."""

_ROLE_NAMES = {
    "police_assistant": "警务助理 / police assistant",
    "auxiliary_officer": "辅警 / auxiliary officer",
    "community_police_officer": "社区民警 / community police officer",
    "station": "派出所 / station",
    "command_centre": "指挥中心 / command centre",
    "emergency_centre": "110 指挥中心 / 110 centre",
}


class Called(msgspec.Struct, frozen=True):
    """Somebody to be called, with every reason why."""

    person: Person
    reasons: tuple[Reason, ...]


class CallList(msgspec.Struct, frozen=True, kw_only=True):
    """Who is called for `household` (None when it is not in the roster), leader first, and what is missing.

    `areas` are the household's own and those above it, smallest first.
    """

    household: Household | None = None
    group: Group | None = None
    areas: tuple[Area, ...] = ()
    called: tuple[Called, ...] = ()
    gaps: tuple[Gap, ...] = ()


Wanted = tuple[PersonId, Reason]


async def call_list(roster: Roster, household: HouseholdId, at: datetime) -> CallList:
    """The call list of `household` at `at`, in three round trips. Raises `Unavailable` alone.

    Who is left out is not on it, and not among the gaps either: others read those.
    """
    home = await roster.household(household)
    if home is None:
        reason = "户籍不在名册中，无人可呼叫 / not in the roster; nobody can be called"
        return CallList(gaps=(Gap(what=f"household {household}", reason=reason),))
    likely = roster.likely_path(home.area)
    groups, areas, posts = await asyncio.gather(
        roster.groups([home.group] if home.group else []), roster.area_path(home.area), roster.posts_of(likely)
    )
    group = groups.get(home.group) if home.group else None
    path = [area.id for area in areas] or [home.area]
    if path != likely:  # the tree has changed, or is seen for the first time
        posts = await roster.posts_of(path)
    wanted, gaps = whom(home, group, areas, posts, at)
    wanted = [one for one in wanted if one[0] not in left_out_of(home)]
    people = await roster.people({person for person, _ in wanted})
    called, missing = found(wanted, people)
    return CallList(household=home, group=group, areas=areas, called=called, gaps=(*gaps, *missing))


def whom(
    home: Household, group: Group | None, areas: Sequence[Area], posts: Iterable[Post], at: datetime
) -> tuple[list[Wanted], list[Gap]]:
    """Whom to call for `home` and why, in the order of calling, and what is missing."""
    gaps = [*_group_gaps(home, group), *_area_gaps(home, areas)]
    wanted = _of_group(group) if group is not None else []
    order = {area: place for place, area in enumerate([area.id for area in areas] or [home.area])}
    near = sorted(posts, key=lambda post: order.get(post.area, len(order)))
    for role in OFFICERS:
        officers, missing = of_posts(role, [post for post in near if post.role == role], at)
        wanted += officers
        gaps += missing
    return wanted, gaps


def found(wanted: Iterable[Wanted], people: Mapping[PersonId, Person]) -> tuple[tuple[Called, ...], list[Gap]]:
    """Each wanted person once with all their reasons, and a gap for each who is not in the roster."""
    reasons: dict[PersonId, dict[Reason, None]] = {}
    for person, reason in wanted:
        reasons.setdefault(person, {})[reason] = None
    called = tuple(Called(people[person], tuple(why)) for person, why in reasons.items() if person in people)
    gaps = [
        Gap(what=f"person {person}", reason="人员不在名册中 / not in the roster")
        for person in reasons
        if person not in people
    ]
    return called, gaps


def _of_group(group: Group) -> list[Wanted]:
    leader = [(group.leader, Reason("group_leader", group.id))] if group.leader else []
    return leader + [(member, Reason("member", group.id)) for member in group.members if member != group.leader]


def of_posts(role: Role, posts: Sequence[Post], at: datetime) -> tuple[list[Wanted], list[Gap]]:
    """Who stands at the nearest of `posts` (nearest first) that has anybody at all."""
    gaps = [_post_gap(post, "岗位未安排人员 / nobody is assigned") for post in posts if not post.duty]
    staffed = [post for post in posts if post.duty]
    if not staffed:
        return [], [
            *gaps,
            Gap(what=_ROLE_NAMES[role], reason="各级辖区均无此岗位人员 / no such post in any area above"),
        ]
    wanted: list[Wanted] = []
    for post in staffed:
        if post.area == staffed[0].area:
            people = post.on_duty(at)
            if not people:
                gaps.append(_post_gap(post, "无人在岗，已全部呼叫 / nobody on duty; called all"))
            wanted += [(person, Reason(role, post.area)) for person in people or post.everyone()]
    return wanted, gaps


def _post_gap(post: Post, reason: str) -> Gap:
    return Gap(what=f"post {post.id} {post.name}", reason=reason)


def _group_gaps(home: Household, group: Group | None) -> list[Gap]:
    if home.group is None:
        return [Gap(what=f"household {home.id}", reason="未加入联防组 / in no joint-defence group")]
    if group is None:
        return [Gap(what=f"group {home.group}", reason="联防组不在名册中 / not in the roster")]
    if not group.members and group.leader is None:
        return [Gap(what=f"group {group.id} {group.name}", reason="联防组没有组员 / nobody is bound into it")]
    return []


def _area_gaps(home: Household, areas: Sequence[Area]) -> list[Gap]:
    known: set[AreaId] = {area.id for area in areas}
    missing = home.area if not areas else areas[-1].parent
    if missing is None or missing in known:
        return []
    return [Gap(what=f"area {missing}", reason="辖区不在名册中 / not in the roster")]
