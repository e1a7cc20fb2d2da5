"""Somebody is not reached, and their next channel rings; and 110 takes a case over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from dispatch.cases import Case, follows
from dispatch.clock import now
from dispatch.events import FellBack, PolicyStep, Quorum, Role, Target
from dispatch.identifiers import AreaId, CaseId, PersonId, PostId
from dispatch.roster import ApprisePoint, ContactPoint, Duty, EscalationPolicy, Person, Post, WebhookPoint, call_list
from tests.conftest import on_server, with_database
from tests.live import LiveSystem, Phones, live, on_servers, phones_for
from tests.messengers import Messenger, messenger
from tests.phones import Phone
from tests.receivers import Receiver, receiving, status
from tests.servers import Servers, open_folder
from tests.system import until
from tests.village import SECRET

VILLAGE, TOWN = AreaId("maozhou"), AreaId("gonghe")
CENTRE = PersonId("c-110")
PATIENT = 3600
SOON = 2


@pytest.fixture(scope="module")
async def live_system(servers: Servers, migrated_template: str) -> AsyncIterator[LiveSystem]:
    """A system that may speak to push services and messengers on loopback."""
    name = f"fallback_{migrated_template}"
    await on_server(servers, f"create database {name} template {migrated_template}")
    with open_folder() as folder:
        environment = on_servers(servers, with_database(servers.postgres_dsn, name))
        async with live(folder, {**environment, "DISPATCH_PRIVATE_PUSH_ENDPOINTS": "true"}) as running:
            yield running
    await on_server(servers, f"drop database {name} with (force)")


@dataclass
class Reachable:
    """Somebody with three contact points: Web Push, then a topic of ntfy, then a webhook."""

    id: PersonId
    push: Receiver
    ntfy: Messenger
    webhook: Receiver

    @property
    def topic(self) -> str:
        return f"topic-{self.id}"

    def rung(self) -> tuple[int, int, int]:
        """How often each of the three rang."""
        topics = [message for message in self.ntfy.messages if message.to == self.topic]
        return len(self.push.requests), len(topics), len(self.webhook.requests)


@pytest.fixture
async def phones(live_system: LiveSystem) -> AsyncIterator[Phones]:
    """A phone for everybody who is called; those of the stories get others."""
    called = (await call_list(live_system.system.roster, live_system.household, now())).called
    async with phones_for(live_system, [entry.person.id for entry in called]) as given:
        yield given
        head = await live_system.log.head(live_system.household)
        if head is not None:
            await live_system.close(head.case)


@pytest.fixture
async def two(live_system: LiveSystem, phones: Phones) -> AsyncIterator[tuple[Reachable, Reachable]]:
    """The leader and a member of the group, each with three contact points."""
    assert phones.of
    roster = live_system.system.roster
    people = await roster.people([PersonId(live_system.subject(who)) for who in ("leader", "neighbour")])
    async with AsyncExitStack() as stack:
        ntfy = await stack.enter_async_context(messenger())
        made = []
        for person in people.values():
            push, webhook = [await stack.enter_async_context(receiving()) for _ in range(2)]
            push.answer = status(201)
            one = Reachable(person.id, push, ntfy, webhook)
            points: tuple[ContactPoint, ...] = (
                Phone().subscription(push.url),
                ApprisePoint(url=f"ntfy://{ntfy.host}/{one.topic}"),
                WebhookPoint(url=webhook.url, secret=SECRET),
            )
            await roster.put(replace(person, contact_points=points), by="test")
            made.append(one)
        yield made[0], made[1]


async def agree(
    live: LiveSystem, *, fallback: int, quorum: int = 9, then: Target = "again", within: int = PATIENT
) -> None:
    roster = live.system.roster
    area = (await roster.areas([VILLAGE]))[VILLAGE]
    steps = (
        PolicyStep(call=("group", "officers"), within_seconds=within),
        PolicyStep(call=(then,), within_seconds=PATIENT),
    )
    policy = EscalationPolicy(name="story", quorum=Quorum(anyone=quorum), steps=steps, fallback_seconds=fallback)
    await roster.put(replace(area, policies=(policy,)), by="test")


async def rings(person: Reachable, *expected: int) -> None:
    async def so() -> bool:
        return person.rung() == expected

    try:
        await until(so, f"{person.id} to be rung as they should")
    except AssertionError:
        assert person.rung() == expected
        raise


async def fell_back(live: LiveSystem, case: CaseId) -> list[tuple[str, str, str]]:
    events = [event for commit in await live.log.load(case) for event in commit.events]
    calls = [call for event in events if isinstance(event, FellBack) for call in event.calls]
    return [(call.responder, call.channel, call.because) for call in calls]


async def test_push_is_dead_and_the_messenger_follows_at_once(
    live_system: LiveSystem, two: tuple[Reachable, Reachable]
) -> None:
    await agree(live_system, fallback=PATIENT)
    dead, well = two
    dead.push.answer = status(410)
    case = await live_system.press(kind="fire")
    await rings(dead, 1, 1, 0)
    await live_system.finished(case)
    assert await fell_back(live_system, case) == [(dead.id, "apprise", "failed")]
    assert well.rung() == (1, 0, 0), "push took it, and there is time"
    (message,) = dead.ntfy.messages
    assert message.urgent
    assert message.title.startswith("火警")
    assert unquote(message.link or "") in message.body


async def test_the_messenger_is_dead_too_and_the_last_follows_at_once(
    live_system: LiveSystem, two: tuple[Reachable, Reachable]
) -> None:
    await agree(live_system, fallback=PATIENT)
    dead, _ = two
    dead.push.answer, dead.ntfy.refuse = status(404), 403
    case = await live_system.press()
    await rings(dead, 1, 0, 1)
    done = await live_system.finished(case)
    assert [reason for _, _, reason in await fell_back(live_system, case)] == ["failed", "failed"]
    assert done.calls[0, dead.id].outcomes["apprise"].reason == "HTTP 403"


async def test_push_is_taken_and_not_delivered_and_the_next_follows_in_time(
    live_system: LiveSystem, two: tuple[Reachable, Reachable]
) -> None:
    await agree(live_system, fallback=SOON)
    for person in two:
        person.push.answer = status(201)
    case = await live_system.press()
    for person in two:
        await rings(person, 1, 1, 1)
    done = await live_system.finished(case)
    assert {reason for _, _, reason in await fell_back(live_system, case)} == {"not_delivered"}
    for person in two:
        call = done.calls[0, person.id]
        waited = [(call.asked_at(channel) - call.called_at).total_seconds() for channel in ("apprise", "webhook")]
        assert waited[0] >= SOON
        assert waited[1] >= waited[0] + SOON


async def test_who_was_reached_or_has_answered_is_rung_no_further(
    live_system: LiveSystem, two: tuple[Reachable, Reachable]
) -> None:
    await agree(live_system, fallback=SOON)
    answers, waits = two
    case = await live_system.press()
    await rings(answers, 1, 0, 0)
    link = await live_system.one_tap(case, answers.id)
    async with live_system.system.http.post(link, json={"answer": "cannot"}) as answered:
        assert answered.status in {200, 201}
    await rings(waits, 1, 1, 0)
    link = await live_system.one_tap(case, waits.id)
    async with live_system.system.http.post(f"{link}/receipt", json={"channel": "apprise", "outcome": "seen"}) as seen:
        assert seen.status == 200
    await case_where(live_system, case, lambda known: not _left(known, {answers.id, waits.id}))
    assert answers.rung() == (1, 0, 0)
    assert waits.rung() == (1, 1, 0)


async def test_enough_help_and_nobody_is_rung_further(
    live_system: LiveSystem, two: tuple[Reachable, Reachable]
) -> None:
    await agree(live_system, fallback=SOON, quorum=1)
    first, second = two
    case = await live_system.press()
    await rings(first, 1, 0, 0)
    link = await live_system.one_tap(case, first.id)
    async with live_system.system.http.post(link, json={"answer": "going"}) as answered:
        assert answered.status in {200, 201}
    await live_system.close(case)

    async def told() -> bool:
        return len(second.push.requests) >= 2

    await until(told, "the other to be told over what rang")
    assert await fell_back(live_system, case) == []
    assert second.rung()[1:] == (0, 0)


async def test_a_case_is_handed_over_to_110(live_system: LiveSystem, two: tuple[Reachable, Reachable]) -> None:
    await agree(live_system, fallback=PATIENT)
    case = await live_system.press(kind="intrusion")
    status_, shown = await live_system.call("operator", "POST", f"/v1/cases/{case}/hand-over", {})
    assert status_ == 200
    assert any("telephone 110 yourself" in gap["reason"] for gap in shown["gaps"])  # type: ignore[attr-defined]
    ntfy = two[0].ntfy
    async with receiving() as desk_of_110:
        await post_of_110(live_system, ntfy, desk_of_110)
        status_, _ = await live_system.call("operator", "POST", f"/v1/cases/{case}/hand-over", {"again": True})
        assert status_ == 200

        async def told() -> bool:
            return len(desk_of_110.requests) == 1 and [m.to for m in ntfy.messages] == ["centre"]

        await until(told, "110 to be told over both")
        assert "移交110：入室" in ntfy.messages[0].body
        status_, shown = await live_system.call("operator", "GET", f"/v1/cases/{case}")
        assert shown["status"] == "raised", "it stays open until it is closed"
        await case_where(live_system, case, lambda known: not known.owed())
        _, shown = await live_system.call("operator", "GET", f"/v1/cases/{case}")
        assert shown["handed_over"]["reached"] is True  # type: ignore[index]


async def test_the_policy_hands_a_case_over_to_110_once(
    live_system: LiveSystem, two: tuple[Reachable, Reachable]
) -> None:
    await agree(live_system, fallback=PATIENT, then="hand_over", within=SOON)
    ntfy = two[0].ntfy
    async with receiving() as desk_of_110:
        await post_of_110(live_system, ntfy, desk_of_110)
        case = await live_system.press()
        handed = await case_where(live_system, case, lambda known: known.handed_over is not None and not known.owed())
        assert handed.handed_over is not None
        assert (handed.handed_over.by, handed.handed_over.to) == ("system", (CENTRE,))
        assert len(desk_of_110.requests) == 1


async def test_who_is_called_though_it_is_enough_has_a_next_channel_too(
    live_system: LiveSystem, two: tuple[Reachable, Reachable]
) -> None:
    await agree(live_system, fallback=PATIENT, quorum=1, then="command_centre")
    ntfy = two[0].ntfy
    async with receiving() as dead_push:
        dead_push.answer = status(410)
        points = (Phone().subscription(dead_push.url), ApprisePoint(url=f"ntfy://{ntfy.host}/centre"))
        await stand_at(live_system, "command_centre", Person(id=CENTRE, name="值班长", contact_points=points))
        case = await live_system.press()
        link = await live_system.one_tap(case, live_system.subject("police"))
        async with live_system.system.http.post(link, json={"answer": "going"}) as answered:
            assert answered.status in {200, 201}
        status_, view = await live_system.call("operator", "POST", f"/v1/cases/{case}/widen", {})
        assert (status_, view["escalation"]["enough"]) == (200, True)  # type: ignore[index]

        async def told() -> bool:
            return "centre" in [message.to for message in ntfy.messages]

        await until(told, "the next channel of who was called last")
        assert (CENTRE, "apprise", "failed") in await fell_back(live_system, case)


async def post_of_110(live: LiveSystem, ntfy: Messenger, desk: Receiver) -> None:
    points = (WebhookPoint(url=desk.url, secret=SECRET), ApprisePoint(url=f"ntfy://{ntfy.host}/centre"))
    await stand_at(live, "emergency_centre", Person(id=CENTRE, name="110 值班", contact_points=points))


async def stand_at(live: LiveSystem, role: Role, person: Person) -> None:
    """Put `person` on duty at a post of the town with this role."""
    roster = live.system.roster
    await roster.put(person, by="test")
    post = Post(id=PostId("x110"), area=TOWN, role=role, name="值班室", duty=(Duty(person=person.id),))
    await roster.put(post, by="test")


async def case_where(live: LiveSystem, case: CaseId, condition: Callable[[Case], bool]) -> Case:
    async def found() -> Case | None:
        known = await live.case(case)
        return known if condition(known) else None

    return await until(found, "the case")


def _left(case: Case, people: set[PersonId]) -> list[PersonId]:
    return [one.responder for one in follows(case) if one.responder in people]
