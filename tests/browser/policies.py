"""Escalation policies for the village, for the length of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec.structs import replace

from dispatch.clock import now
from dispatch.events import PolicyStep, Quorum, Target
from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.roster import Area, EscalationPolicy, Group, Person, WebhookPoint, call_list
from tests.live import LiveSystem
from tests.receivers import receiving
from tests.village import SECRET

LEADER_NEXT_DOOR = "p-0011"
"""Who is called in the second step, and not before."""

PATIENT = 3600
"""Seconds within which no step is taken."""

_VILLAGE, _GROUP, _NEXT_GROUP = AreaId("maozhou"), GroupId("g-01"), GroupId("g-02")
Calls = tuple[tuple[Target, ...], ...]
_CALLS: Calls = (("group", "officers"), ("neighbour_leaders",), ("again",))
TO_110: Calls = (("group", "officers"), ("hand_over",))
"""Nobody holds the post of 110 in the demo."""


@asynccontextmanager
async def agreed(live: LiveSystem, quorum: Quorum, *within_seconds: int, calls: Calls = _CALLS) -> AsyncIterator[None]:
    """The village calls the group, then the leader of the next one, then everybody again; each step so long after.

    Everybody has a phone that rings: where no phone does, waiting is pointless and the call widens at once.
    """
    roster = live.system.roster
    area, group = (await roster.areas([_VILLAGE]))[_VILLAGE], (await roster.groups([_GROUP]))[_GROUP]
    called = (await call_list(roster, live.household, now())).called
    people = await roster.people([*(entry.person.id for entry in called), PersonId(LEADER_NEXT_DOOR)])
    steps = tuple(PolicyStep(call=calls[n], within_seconds=within) for n, within in enumerate(within_seconds))
    policy = EscalationPolicy(name="story", quorum=quorum, steps=steps)
    async with AsyncExitStack() as afterwards:
        phone = WebhookPoint(url=(await afterwards.enter_async_context(receiving())).url, secret=SECRET)
        before: list[Area | Group | Person] = [area, group, *people.values()]
        for document in before:
            afterwards.push_async_callback(roster.put, document, by="test")
        await roster.put(replace(area, policies=(policy,)), by="test")
        await roster.put(replace(group, neighbours=(_NEXT_GROUP,)), by="test")
        for person in people.values():
            await roster.put(replace(person, contact_points=(phone,)), by="test")
        yield
