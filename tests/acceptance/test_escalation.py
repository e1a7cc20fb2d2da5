"""Too few answer and the call widens by itself; enough answer and the others may stay at home.

Where a story says nothing else, the case keeps to the policy that every village has from the start: two must come;
after 45 s everybody is rung again and the leader next door too, after 45 s more the officers of the neighbouring
villages and the station, after a minute the command centre.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from dispatch.events import PolicyStep, Quorum, RespondersCalled
from dispatch.identifiers import AreaId, CaseId, PersonId
from dispatch.roster import EscalationPolicy
from tests.live import LiveSystem
from tests.stories import CENTRE, CENTRE_POST, LEADER_NEXT_DOOR, OFFICERS_NEXT_DOOR, STATION, Phones, answer, button_of
from tests.the_clock import TheClock

VILLAGE = AreaId("maozhou")
MINUTE = 60
HOUR = 60 * MINUTE


async def test_too_few_answer_and_the_call_widens_step_by_step(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case = await live_system.press(kind="intrusion")
    await phones.ring(phones.group)
    await the_clock.moves(44)
    await phones.are_silent()
    await the_clock.moves(1)
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})
    await the_clock.moves(45)
    everybody = phones.group | {LEADER_NEXT_DOOR, STATION} | OFFICERS_NEXT_DOOR
    await phones.ring(everybody)
    await the_clock.moves(60)
    await phones.ring(everybody | {CENTRE})
    assert (await live_system.case(case)).gaps == ()


async def test_the_last_step_is_repeated_ever_more_slowly_and_never_forgotten(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    await live_system.press()
    await phones.ring(phones.group)
    await the_clock.moves(45 + 45 + 60)
    all_but_the_centre = phones.group | {LEADER_NEXT_DOOR, STATION} | OFFICERS_NEXT_DOOR
    everybody = all_but_the_centre | {CENTRE}
    await phones.ring(phones.group | {LEADER_NEXT_DOOR}, all_but_the_centre, everybody)
    for minutes in (1, 2, 4, 8, 15, 15):
        await the_clock.moves(minutes * MINUTE - 1)
        await phones.are_silent()
        await the_clock.moves(1)
        await phones.ring(everybody)


async def test_who_has_not_answered_is_rung_again_and_who_has_is_not(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case = await live_system.press()
    await phones.ring(phones.group)
    coming, refusing = sorted(phones.group)[:2]
    await answer(live_system, case, coming, "going")
    await answer(live_system, case, refusing, "cannot")
    await the_clock.moves(45)
    await phones.ring(phones.group - {coming, refusing}, {LEADER_NEXT_DOOR})


async def test_where_waiting_is_pointless_the_call_widens_at_once(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    await agree(live_system, Quorum(officers=3))
    case = await live_system.press()
    await phones.ring(phones.group)
    await the_clock.moves(10)
    await phones.are_silent()
    await answer(live_system, case, live_system.subject("police"), "cannot")
    await phones.ring(OFFICERS_NEXT_DOOR)


async def test_two_neighbours_and_an_officer_must_come_and_neighbours_alone_are_not_enough(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    await agree(live_system, Quorum(neighbours=2, officers=1))
    case = await live_system.press()
    await phones.ring(phones.group)
    neighbours = sorted(person for person in phones.group if person.startswith("p-"))[:3]
    for person in neighbours:
        await answer(live_system, case, person, "going")
    await the_clock.moves(45)
    await phones.ring(OFFICERS_NEXT_DOOR)
    officer = PersonId(live_system.subject("police"))
    await answer(live_system, case, officer, "going")
    others = phones.group | OFFICERS_NEXT_DOOR
    await phones.hear(others - {officer, *neighbours}, case, "called", "stood_down")
    await phones.hear({officer, *neighbours}, case, "called")


async def test_somebody_who_cannot_be_reached_is_not_waited_for(live_system: LiveSystem, phones: Phones) -> None:
    """Three officers must come, there are three, and one of them has no phone."""
    await agree(live_system, Quorum(officers=3))
    officer = PersonId(live_system.subject("police"))
    await live_system.system.roster.update_person(officer, lambda known: replace(known, contact_points=()), "test")
    await live_system.press()
    await phones.ring(phones.group - {officer}, OFFICERS_NEXT_DOOR)


async def test_an_empty_step_is_passed_over_at_once(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    """Four officers must come, there are three, and nobody is on duty at the command centre, which is to be called."""
    steps = (
        PolicyStep(call=("command_centre",), within_seconds=HOUR),
        PolicyStep(call=("neighbour_officers",), within_seconds=HOUR),
    )
    await agree(live_system, Quorum(officers=4), *steps)
    await nobody_at_the_centre(live_system)
    case = await live_system.press()
    await phones.ring(phones.group, OFFICERS_NEXT_DOOR)
    await the_clock.moves(1)
    gaps = {gap.what for gap in (await live_system.case(case)).gaps}
    assert "指挥中心 / command centre" in gaps, "nobody is there, and the case says so"


async def test_who_pressed_is_promised_nobody_whom_the_roster_does_not_have(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    """Nobody is on duty at the command centre, which is next: page and button speak of what follows."""
    steps = (
        PolicyStep(call=("command_centre",), within_seconds=MINUTE),
        PolicyStep(call=("neighbour_officers",), within_seconds=HOUR),
        PolicyStep(call=("command_centre",), within_seconds=HOUR),
    )
    await agree(live_system, Quorum(anyone=9), *steps)
    await nobody_at_the_centre(live_system)
    async with button_of(live_system) as heard:
        case = await live_system.press()
        await phones.ring(phones.group)
        promised = await heard(lambda said: said["next"] is not None)
        _, page = await live_system.call("resident", "GET", f"/v1/cases/{case}")
        assert promised["next"] == {"what": "widens", "at": page["escalation"]["next_call"]["at"]}  # type: ignore[index]
        opened = (await live_system.case(case)).alarm.at
        assert datetime.fromisoformat(promised["next"]["at"]) - opened == timedelta(seconds=45 + MINUTE)
        await the_clock.moves(45 + MINUTE)
        await phones.ring(OFFICERS_NEXT_DOOR)
        assert (await heard(lambda said: said["next"] is None))["status"] == "raised"
        _, page = await live_system.call("resident", "GET", f"/v1/cases/{case}")
        assert page["escalation"]["next_call"] is None  # type: ignore[index]


async def nobody_at_the_centre(live: LiveSystem) -> None:
    (centre,) = await live.system.roster.posts_named([CENTRE_POST])
    await live.system.roster.put(replace(centre.document, duty=()), by="test")


async def two_are_going(live: LiveSystem, phones: Phones) -> tuple[CaseId, set[PersonId]]:
    """A press, upon which a neighbour and an officer say that they are going: enough help by the standard policy."""
    case = await live.press()
    await phones.ring(phones.group)
    coming = {PersonId(live.subject(who)) for who in ("neighbour", "police")}
    for person in coming:
        await answer(live, case, person, "going")
    return case, coming


async def test_enough_help_and_the_others_are_thanked(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case, coming = await two_are_going(live_system, phones)
    others = phones.group - coming
    await phones.hear(others, case, "called", "stood_down")
    await phones.hear(coming, case, "called")
    assert (await live_system.case(case)).stood_down == others
    await the_clock.moves(5 * MINUTE)
    await phones.are_silent()
    await live_system.close(case)
    await phones.hear(coming, case, "called", "over")
    await phones.hear(others, case, "called", "stood_down")


async def test_those_who_are_going_do_not_arrive_and_the_call_widens(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    """Who does not say when is expected within ten minutes, and may be three minutes late."""
    _, coming = await two_are_going(live_system, phones)
    await the_clock.moves(13 * MINUTE - 1)
    await phones.are_silent()
    await the_clock.moves(1)
    await phones.ring(phones.group - coming, {LEADER_NEXT_DOOR})


async def test_one_who_gives_up_makes_it_too_few_again(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case, coming = await two_are_going(live_system, phones)
    neighbour = PersonId(live_system.subject("neighbour"))
    others = phones.group - coming
    await phones.hear(others, case, "called", "stood_down")
    await the_clock.moves(20)
    await answer(live_system, case, neighbour, "cannot")
    await the_clock.moves(24)
    await phones.are_silent()
    await the_clock.moves(1)
    await phones.ring(others, {LEADER_NEXT_DOOR})


async def test_the_reason_of_a_step_stands_on_the_log(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case = await live_system.press()
    await the_clock.moves(45)
    await phones.ring(phones.group, phones.group, {LEADER_NEXT_DOOR})
    events = [event for commit in await live_system.log.load(case) for event in commit.events]
    called = [event for event in events if isinstance(event, RespondersCalled)]
    roles = {call.responder: [reason.role for reason in call.reasons] for call in called[1].calls}
    assert roles[LEADER_NEXT_DOOR] == ["group_leader"]
    assert roles.keys() == phones.group | {LEADER_NEXT_DOOR}


async def test_one_on_scene_is_not_enough_and_each_step_is_taken_once(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case = await live_system.press()
    await phones.ring(phones.group)
    neighbour = PersonId(live_system.subject("neighbour"))
    await answer(live_system, case, neighbour, "on_scene")
    others = phones.group - {neighbour}
    await the_clock.moves(45 + 45 + 60)
    next_door = {LEADER_NEXT_DOOR}
    at_last = others | next_door | OFFICERS_NEXT_DOOR | {STATION}
    await phones.ring(others | next_door, at_last, at_last | {CENTRE})
    await the_clock.moves(HOUR)
    await phones.are_silent()
    _, view = await live_system.call("resident", "GET", f"/v1/cases/{case}")
    assert (view["status"], view["on_scene"]) == ("on_scene", 1)
    assert view["escalation"]["enough"] is False  # type: ignore[index]
    assert view["escalation"]["waits_for"]["what"] == "closing"  # type: ignore[index]


async def test_a_policy_that_is_changed_changes_no_case_that_is_open(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case = await live_system.press()
    await phones.ring(phones.group)
    await agree(live_system, Quorum(anyone=1), PolicyStep(call=("station",), within_seconds=5))
    await the_clock.moves(44)
    await phones.are_silent()
    await the_clock.moves(1)
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})
    await live_system.close(case)
    await live_system.press()
    await phones.ring(phones.group)
    await the_clock.moves(45)
    await phones.ring({STATION})


@pytest.mark.parametrize("kind", ["fire", "medical"])
async def test_a_kind_of_case_has_a_policy_of_its_own(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock, kind: str
) -> None:
    fire = PolicyStep(call=("station",), within_seconds=HOUR)
    await agree(live_system, Quorum(anyone=5), fire, kinds=("fire",))
    await live_system.press(kind=kind)
    await phones.ring(phones.group)
    await the_clock.moves(45)
    await phones.ring(*([{STATION}] if kind == "fire" else [phones.group, {LEADER_NEXT_DOOR}]))


async def agree(live: LiveSystem, quorum: Quorum, *then: PolicyStep, kinds: tuple[str, ...] = ()) -> None:
    """The village's policy: call the group and its officers; after 45 s what follows, at first the officers nearby."""
    first = PolicyStep(call=("group", "officers"), within_seconds=45)
    last = PolicyStep(call=("neighbour_officers",), within_seconds=HOUR)
    roster = live.system.roster
    area = (await roster.areas([VILLAGE]))[VILLAGE]
    policy = EscalationPolicy(name="story", quorum=quorum, steps=(first, *(then or (last,))), kinds=kinds)  # type: ignore[arg-type]
    await roster.put(replace(area, policies=(policy,)), by="test")
