"""Too few answer and the call widens by itself; enough answer and the others may stay at home."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from dispatch.clock import now
from dispatch.events import PolicyStep, Quorum, RespondersCalled, Target
from dispatch.identifiers import AreaId, CaseId, GroupId, PersonId
from dispatch.roster import EscalationPolicy, call_list
from tests.live import LiveSystem, Phones, phones_for, rung
from tests.system import until

LEADER_NEXT_DOOR, OFFICER_NEXT_DOOR = PersonId("p-0011"), PersonId("a-0070")
VILLAGE, NEXT_VILLAGE = AreaId("maozhou"), AreaId("sanhua")
GROUP, NEXT_GROUP = GroupId("g-01"), GroupId("g-02")
PATIENT = 3600
SOON = 2


@pytest.fixture
async def phones(live_system: LiveSystem) -> AsyncIterator[Phones]:
    """A phone for the thirteen who are called at once, and for those who come to their aid."""
    called = (await call_list(live_system.system.roster, live_system.household, now())).called
    everybody = [*(entry.person.id for entry in called), LEADER_NEXT_DOOR, OFFICER_NEXT_DOOR]
    async with phones_for(live_system, everybody) as given:
        assert len(given.of) == 15
        yield given
        head = await live_system.log.head(live_system.household)
        if head is not None:
            await live_system.close(head.case)


async def agree(live: LiveSystem, quorum: Quorum, *within_seconds: int) -> None:
    """The village's policy: call the group; then its neighbours too; then ring everybody once more."""
    roster = live.system.roster
    calls: tuple[tuple[Target, ...], ...] = (
        ("group", "officers"),
        ("neighbour_leaders", "neighbour_officers"),
        ("again",),
    )
    steps = tuple(PolicyStep(call=calls[n], within_seconds=within) for n, within in enumerate(within_seconds))
    area = (await roster.areas([VILLAGE]))[VILLAGE]
    policy = EscalationPolicy(name="story", quorum=quorum, steps=steps)
    await roster.put(replace(area, policies=(policy,), neighbours=(NEXT_VILLAGE,)), by="test")
    group = (await roster.groups([GROUP]))[GROUP]
    await roster.put(replace(group, neighbours=(NEXT_GROUP,)), by="test")


async def answer(live: LiveSystem, case: CaseId, person: str, what: str) -> None:
    link = await live.one_tap(case, person)
    async with live.system.http.post(link, json={"answer": what}) as answered:
        assert answered.status in {200, 201}


def group_of(phones: Phones) -> set[PersonId]:
    return phones.of.keys() - {LEADER_NEXT_DOOR, OFFICER_NEXT_DOOR}


async def test_too_few_answer_and_the_neighbours_are_called(live_system: LiveSystem, phones: Phones) -> None:
    await agree(live_system, Quorum(anyone=2), SOON, PATIENT)
    case = await live_system.press(kind="intrusion")
    await rung(phones, dict.fromkeys(phones.of, 1))
    widened = await live_system.finished(case)
    assert (widened.position, widened.last_step) == (1, 1)
    assert {call.responder for call in widened.calls.values() if call.step == 1} == {
        LEADER_NEXT_DOOR,
        OFFICER_NEXT_DOOR,
    }


async def test_who_has_not_answered_is_rung_again_and_who_has_is_not(live_system: LiveSystem, phones: Phones) -> None:
    await agree(live_system, Quorum(anyone=3), SOON, SOON, PATIENT)
    case = await live_system.press()
    coming, refusing = sorted(group_of(phones))[:2]
    await answer(live_system, case, coming, "going")
    await answer(live_system, case, refusing, "cannot")
    await rung(phones, {person: 1 if person in {coming, refusing} else 2 for person in phones.of})


async def test_where_waiting_is_pointless_the_call_widens_at_once(live_system: LiveSystem, phones: Phones) -> None:
    await agree(live_system, Quorum(officers=3), PATIENT, PATIENT)
    case = await live_system.press()
    await rung(phones, dict.fromkeys(group_of(phones), 1) | {LEADER_NEXT_DOOR: 0, OFFICER_NEXT_DOOR: 0})
    officer = live_system.subject("police")
    await answer(live_system, case, officer, "cannot")
    await rung(phones, dict.fromkeys(phones.of, 1))


async def test_enough_help_and_the_others_are_thanked(live_system: LiveSystem, phones: Phones) -> None:
    await agree(live_system, Quorum(neighbours=1, officers=1), PATIENT)
    case = await live_system.press()
    await rung(phones, dict.fromkeys(group_of(phones), 1) | {LEADER_NEXT_DOOR: 0, OFFICER_NEXT_DOOR: 0})
    neighbour, officer = live_system.subject("neighbour"), live_system.subject("police")
    await answer(live_system, case, neighbour, "going")
    await answer(live_system, case, officer, "going")
    others = group_of(phones) - {neighbour, officer}

    async def thanked() -> bool:
        return all(phones.words(person, case) == ["called", "stood_down"] for person in others)

    await until(thanked, "the others to be stood down")
    assert phones.words(neighbour, case) == phones.words(officer, case) == ["called"], "those who are going are kept"
    assert (await live_system.case(case)).stood_down == others
    await live_system.close(case)

    async def told() -> bool:
        return [phones.words(person, case)[-1] for person in (neighbour, officer)] == ["over", "over"]

    await until(told, "those who were coming to be told that it is over")
    assert all(phones.words(person, case) == ["called", "stood_down"] for person in others), "nobody is told twice"


async def test_one_who_gives_up_makes_it_too_few_again(live_system: LiveSystem, phones: Phones) -> None:
    await agree(live_system, Quorum(anyone=1), SOON, SOON)
    case = await live_system.press()
    neighbour = live_system.subject("neighbour")
    await answer(live_system, case, neighbour, "going")
    await live_system.finished(case)
    await answer(live_system, case, neighbour, "cannot")
    await rung(phones, {p: 1 if p in {neighbour, LEADER_NEXT_DOOR, OFFICER_NEXT_DOOR} else 2 for p in phones.of})


async def test_the_reason_of_a_step_stands_on_the_log(live_system: LiveSystem, phones: Phones) -> None:
    await agree(live_system, Quorum(anyone=2), SOON, PATIENT)
    case = await live_system.press()
    await rung(phones, dict.fromkeys(phones.of, 1))
    events = [event for commit in await live_system.log.load(case) for event in commit.events]
    called = [event for event in events if isinstance(event, RespondersCalled)]
    roles = {call.responder: [reason.role for reason in call.reasons] for call in called[1].calls}
    assert roles == {LEADER_NEXT_DOOR: ["group_leader"], OFFICER_NEXT_DOOR: ["auxiliary_officer"]}


async def test_one_on_scene_is_not_enough_and_each_step_is_taken_once(live_system: LiveSystem, phones: Phones) -> None:
    await agree(live_system, Quorum(anyone=2), SOON, SOON, SOON)
    case = await live_system.press()
    neighbour = live_system.subject("neighbour")
    await answer(live_system, case, neighbour, "on_scene")
    await rung(phones, {person: 1 if person == neighbour else 2 for person in phones.of})
    _, view = await live_system.call("resident", "GET", f"/v1/cases/{case}")
    assert (view["status"], view["on_scene"]) == ("on_scene", 1)
    assert view["escalation"]["enough"] is False  # type: ignore[index]
    assert view["escalation"]["waits_for"]["what"] == "closing"  # type: ignore[index]


async def test_who_is_stood_down_by_name_stays_so_until_called_by_name(live_system: LiveSystem, phones: Phones) -> None:
    await agree(live_system, Quorum(anyone=3), PATIENT, PATIENT, PATIENT)
    case = await live_system.press()
    neighbour = live_system.subject("neighbour")
    once = dict.fromkeys(group_of(phones), 1) | {LEADER_NEXT_DOOR: 0, OFFICER_NEXT_DOOR: 0}
    await rung(phones, once)
    await ask(live_system, case, "stand-down", responders=[neighbour])
    await ask(live_system, case, "widen")
    await rung(phones, dict.fromkeys(phones.of, 1))
    await ask(live_system, case, "widen")
    await rung(phones, {person: 1 if person == neighbour else 2 for person in phones.of})
    await ask(live_system, case, "calls", responder=neighbour)
    await rung(phones, dict.fromkeys(phones.of, 2))


async def ask(live: LiveSystem, case: CaseId, deed: str, **body: object) -> None:
    status, _ = await live.call("operator", "POST", f"/v1/cases/{case}/{deed}", body)
    assert status == 200
