"""Two of the group who are called over several channels in turn: their push service, messenger and phone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from dispatch.events import FellBack, PolicyStep, Quorum, Role, Target
from dispatch.identifiers import AreaId, CaseId, PersonId, PostId
from dispatch.roster import ApprisePoint, ContactPoint, Duty, EscalationPolicy, Person, Post
from tests.live import LiveSystem
from tests.messengers import Messenger, messenger
from tests.phones import Phone
from tests.receivers import Receiver, receiving, status
from tests.stories import County, Phones
from tests.waiting import until

VILLAGE, TOWN = AreaId("maozhou"), AreaId("gonghe")
CENTRE = PersonId("c-110")
HOUR = 3600


@dataclass
class Reachable:
    """Somebody with three contact points: Web Push, then a topic of ntfy, then the webhook that is their phone."""

    id: PersonId
    push: Receiver
    ntfy: Messenger
    phone: Phone = field(default_factory=Phone)
    expected: tuple[int, int] = (0, 0)

    @property
    def topic(self) -> str:
        return f"topic-{self.id}"

    def words(self) -> list[str]:
        """What each push said: called, stood_down or over."""
        return [json.loads(self.phone.decrypt(request.body))["word"] for request in self.push.requests]

    def rung(self) -> tuple[int, int]:
        """How often push and the messenger rang; word that one need not come makes no sound."""
        topics = [message for message in self.ntfy.messages if message.to == self.topic and message.urgent]
        return self.words().count("called"), len(topics)


@dataclass
class Two:
    """The leader and a member of the group, who are called over more than a webhook; and everybody else's phone."""

    first: Reachable
    second: Reachable
    phones: Phones

    @property
    def both(self) -> set[PersonId]:
        return {self.first.id, self.second.id}

    @property
    def others(self) -> frozenset[PersonId]:
        """Those of the group who have but a webhook."""
        return self.phones.group - self.both

    async def ring(self, person: Reachable, push: int, topic: int) -> None:
        """Wait until push and the messenger of `person` rang so often in all, and see that nothing rings besides."""
        person.expected = (push, topic)

        async def so() -> bool:
            return person.rung() == person.expected

        try:
            await until(so, f"{person.id} to be rung as they should")
        finally:
            assert person.rung() == person.expected
        await self.are_silent()

    async def are_silent(self) -> None:
        await self.phones.are_silent()
        self.are_as_told()

    def are_as_told(self) -> None:
        for person in (self.first, self.second):
            assert person.rung() == person.expected, person.id


@asynccontextmanager
async def two_of(live: LiveSystem, county: County, phones: Phones) -> AsyncIterator[Two]:
    """Nothing of theirs may have rung in the end that the story did not expect to."""
    roster = live.system.roster
    people = await roster.people([PersonId(live.subject(who)) for who in ("leader", "neighbour")])
    async with AsyncExitStack() as stack:
        ntfy = await stack.enter_async_context(messenger())
        made = []
        for person in people.values():
            push = await stack.enter_async_context(receiving(status(201)))
            one = Reachable(person.id, push, ntfy)
            points: tuple[ContactPoint, ...] = (
                one.phone.subscription(push.url),
                ApprisePoint(url=f"ntfy://{ntfy.host}/{one.topic}"),
                phones.point(person.id),
            )
            await roster.put(replace(person, contact_points=points), by="test")
            made.append(one)
        two = Two(made[0], made[1], phones)
        yield two
        await county.close_all()  # while there is somebody who can be told
        await two.are_silent()


async def agree(
    live: LiveSystem, *, quorum: int = 9, then: Target = "again", within: int = HOUR, last: int = HOUR
) -> None:
    roster = live.system.roster
    area = (await roster.areas([VILLAGE]))[VILLAGE]
    steps = (
        PolicyStep(call=("group", "officers"), within_seconds=within),
        PolicyStep(call=(then,), within_seconds=last),
    )
    policy = EscalationPolicy(name="story", quorum=Quorum(anyone=quorum), steps=steps)
    await roster.put(replace(area, policies=(policy,)), by="test")


async def fell_back(live: LiveSystem, case: CaseId) -> list[tuple[str, str, str]]:
    events = [event for commit in await live.log.load(case) for event in commit.events]
    calls = [call for event in events if isinstance(event, FellBack) for call in event.calls]
    return [(call.responder, call.channel, call.because) for call in calls]


async def stand_at(live: LiveSystem, role: Role, person: Person) -> None:
    """Put `person` on duty at a post of the town with this role."""
    roster = live.system.roster
    await roster.put(person, by="test")
    post = Post(id=PostId("x110"), area=TOWN, role=role, name="值班室", duty=(Duty(person=person.id),))
    await roster.put(post, by="test")
