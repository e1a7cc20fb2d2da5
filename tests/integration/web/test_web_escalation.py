"""What an operator does about the escalation of a case, over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from dispatch.cases import Case, GiveAnswer, Hold, RecordCalls, Resolve
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import CallOutcome, EscalationPaused, Reason
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId, PostId
from dispatch.roster import ApprisePoint, Duty, Group, LeftOut, Person, Post, SmsPoint
from dispatch.web import aid, directory
from tests.integration.web_world import World

Client = TestClient[Any, Any]
HOME, LEADER = HouseholdId("h-1"), PersonId("p-3")


@pytest.fixture
async def case(village: World) -> Case:
    return await village.open_case()


async def ask(client: Client, village: World, case: Case, what: str, body: dict[str, Any]) -> tuple[int, Any]:
    """POST as an operator of the village's area; status and document."""
    headers = await village.bearer("operator", "wang", "v-1")
    async with client.post(f"/v1/cases/{case.id}/{what}", json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_what_a_case_waits_for_is_shown(client: Client, village: World, case: Case) -> None:
    headers = await village.bearer("device", "h-1")
    async with client.get(f"/v1/cases/{case.id}", headers=headers) as answer:
        shown = (await answer.json())["escalation"]
    assert (shown["position"], shown["enough"], shown["waits_for"]["what"]) == (0, False, "answers")
    assert shown["lacking"] == 2
    assert datetime.fromisoformat(shown["waits_for"]["until"]) > case.alarm.at
    await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="on_scene", via="page")
    async with client.get(f"/v1/cases/{case.id}", headers=headers) as answer:
        assert (await answer.json())["escalation"]["waits_for"]["what"] == "answers", "one is not enough"
    await village.do(case.id, GiveAnswer, responder=PersonId("p-2"), answer="going", via="page")
    async with client.get(f"/v1/cases/{case.id}", headers=headers) as answer:
        assert (await answer.json())["escalation"]["waits_for"]["what"] == "closing"


async def test_those_at_home_are_promised_nobody_whom_the_roster_has_not(
    client: Client, village: World, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aid, "FRESH_SECONDS", 0)

    async def next_call(role: str = "device", subject: str = "h-1") -> Any:
        async with client.get(f"/v1/cases/{case.id}", headers=await village.bearer(role, subject)) as answer:
            return (await answer.json())["escalation"].get("next_call", "not said")

    assert (await next_call())["targets"] == ["again"], "no group is named as a neighbour"
    assert await next_call("operator", "wang") == "not said"
    others = Group(id=GroupId("g-2"), name="二组", area=AreaId("v-1"), members=(LEADER,), leader=LEADER)
    own = await village.roster.entry("group", "g-1")
    assert own is not None
    assert isinstance(own.document, Group)
    for group in (others, replace(own.document, neighbours=(others.id,))):
        await village.roster.put(group, by="test")
    assert (await next_call())["targets"] == ["again", "neighbour_leaders"]
    out = LeftOut(person=LEADER, by="operator:wang", at=now(), reason="打人")
    await village.roster.update_household(HOME, lambda home: replace(home, left_out=(out,)), "test")
    monkeypatch.setattr(directory, "FRESH_SECONDS", 0)
    assert (await next_call())["targets"] == ["again"], "they are left out for this household"
    await village.roster.update_household(HOME, lambda home: replace(home, left_out=()), "test")
    assert (await next_call())["targets"] == ["again", "neighbour_leaders"]
    gone = (ApprisePoint(url="ntfy://example.org/x", retired="410"),)
    for person in (LEADER, PersonId("p-1")):
        await village.roster.put(Person(id=person, name="人", phone="", contact_points=gone), by="test")
    assert (await next_call())["targets"] == ["again"], "nothing can ring the leader any more"
    await village.roster.put(Person(id=PersonId("p-2"), name="人", phone="", contact_points=gone), by="test")
    assert await next_call() is None, "nor any of those who were called"
    monkeypatch.setattr(village.roster, "posts_of", unavailable)
    assert await next_call() == "not said", "the roster cannot be asked"


async def unavailable(*_: object) -> None:
    raise Unavailable("gone")


async def test_the_wish_to_widen_is_due_at_once(client: Client, village: World, case: Case) -> None:
    status, shown = await ask(client, village, case, "widen", {})
    assert (status, shown["escalation"]["waits_for"]["because"]) == (200, "operator")
    asked = (await village.desk.load(case.id)).asked
    assert asked is not None
    assert asked.by == "operator:wang"


async def test_the_escalation_is_held_for_some_minutes(client: Client, village: World, case: Case) -> None:
    status, shown = await ask(client, village, case, "pause", {"minutes": 10})
    assert status == 200
    until = datetime.fromisoformat(shown["escalation"]["paused_until"])
    assert until - case.alarm.at > timedelta(minutes=10)
    assert shown["escalation"]["waits_for"]["what"] == "operator"


async def test_a_pause_says_whose_it_is_to_operators_alone_and_is_taken_back(
    client: Client, village: World, case: Case
) -> None:
    _, shown = await ask(client, village, case, "pause", {"minutes": 10})
    assert shown["escalation"]["paused_by"] == "wang"
    async with client.get(f"/v1/cases/{case.id}", headers=await village.bearer("responder", "p-1")) as answer:
        assert "paused_by" not in (await answer.json())["escalation"]
    for _ in range(2):
        status, shown = await ask(client, village, case, "resume", {})
        assert (status, shown["attended"]) == (200, True)
        escalation = shown["escalation"]
        assert (escalation["paused_until"], escalation["paused_by"]) == (None, None)
        assert escalation["waits_for"]["because"] == "no_answer"
    events = [event for commit in await village.log.load(case.id) for event in commit.events]
    pauses = [event for event in events if isinstance(event, EscalationPaused)]
    assert [event.until > event.at for event in pauses] == [True, False]


async def test_what_a_restore_holds_is_not_resumed_by_a_slip(client: Client, village: World, case: Case) -> None:
    await village.do(case.id, Hold, until=now() + timedelta(minutes=30))
    for slip in ("resume", "pause"):
        status, problem = await ask(client, village, case, slip, {})
        assert (status, "came back from a backup" in problem["detail"]) == (409, True)
    _, shown = await ask(client, village, case, "widen", {})
    assert shown["escalation"]["waits_for"]["because"] == "operator", "an operator who means it says so"
    assert shown["escalation"]["paused_by"] is None, "no operator's pause is left where the hold was"


@pytest.mark.parametrize("minutes", [0, 31, "x", -5])
async def test_a_pause_has_its_limits(client: Client, village: World, case: Case, minutes: object) -> None:
    status, problem = await ask(client, village, case, "pause", {"minutes": minutes})
    assert status == 400
    assert "minutes" in problem["detail"]


async def test_those_who_have_not_answered_are_stood_down(client: Client, village: World, case: Case) -> None:
    await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page")
    status, shown = await ask(client, village, case, "stand-down", {})
    assert status == 200
    assert {one["id"]: one["stood_down"] for one in shown["responders"]} == {"p-1": False, "p-2": True}


@pytest.mark.parametrize(
    ("body", "by_name"),
    [({}, frozenset()), ({"rest": True}, frozenset()), ({"rest": False}, frozenset({"p-1", "p-2"}))],
)
async def test_an_operator_says_whether_they_are_stood_down_by_name(
    client: Client, village: World, case: Case, body: dict[str, Any], by_name: frozenset[PersonId]
) -> None:
    both = frozenset({PersonId("p-1"), PersonId("p-2")})
    named = {"responders": sorted(both)} if body else {}
    status, _ = await ask(client, village, case, "stand-down", {**named, **body})
    stood_down = await village.desk.load(case.id)
    assert (status, stood_down.stood_down, stood_down.dismissed) == (200, both, by_name)


async def test_nobody_is_stood_down_who_was_not_called(client: Client, village: World, case: Case) -> None:
    status, problem = await ask(client, village, case, "stand-down", {"responders": ["p-3"]})
    assert (status, problem["field"]) == (422, "responders")
    assert "p-3" in problem["detail"]


async def test_one_more_is_called_by_name(client: Client, village: World, case: Case) -> None:
    duty = (Duty(person=PersonId("p-3")),)
    await village.roster.put(
        Post(id=PostId("s"), area=AreaId("t-1"), role="station", name="派出所", duty=duty), by="test"
    )
    status, shown = await ask(client, village, case, "calls", {"responder": "p-3"})
    assert status == 200
    assert [one["roles"][0]["role"] for one in shown["responders"] if one["id"] == "p-3"] == ["asked"]
    called = (await village.desk.load(case.id)).calls[1, PersonId("p-3")]
    assert (called.reasons, called.channels) == ((Reason("asked", "operator:wang"),), ("live",))
    status, problem = await ask(client, village, case, "calls", {"responder": "nobody"})
    assert (status, problem["field"]) == (404, "responder")


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("widen", {}),
        ("pause", {}),
        ("resume", {}),
        ("stand-down", {}),
        ("calls", {"responder": "p-1"}),
        ("hand-over", {}),
    ],
)
async def test_not_on_a_case_that_is_over_and_not_by_others(
    client: Client, village: World, case: Case, what: str, body: dict[str, Any]
) -> None:
    for role, subject in (("device", "h-1"), ("responder", "p-1")):
        headers = await village.bearer(role, subject)
        async with client.post(f"/v1/cases/{case.id}/{what}", json=body, headers=headers) as answer:
            assert answer.status == 403
    await village.do(case.id, Resolve, by="op", resolution="helped")
    assert (await ask(client, village, case, what, body))[0] == 409


async def post_of_110(village: World) -> None:
    points = (ApprisePoint(url="ntfys://ntfy.example/110"), SmsPoint(number="+8613800000110"))
    await village.roster.put(Person(id=PersonId("c-110"), name="110 值班", contact_points=points), by="test")
    duty = (Duty(person=PersonId("c-110")),)
    post = Post(id=PostId("x"), area=AreaId("t-1"), role="emergency_centre", name="110 指挥中心", duty=duty)
    await village.roster.put(post, by="test")


async def test_110_is_called_over_every_channel_and_the_case_stays_open(
    client: Client, village: World, case: Case
) -> None:
    await post_of_110(village)
    status, shown = await ask(client, village, case, "hand-over", {})
    assert (status, shown["status"], shown["gaps"]) == (200, "raised", [])
    assert (shown["handed_over"]["by"], shown["handed_over"]["reached"]) == ("wang", None)
    called = (await village.desk.load(case.id)).calls[1, PersonId("c-110")]
    assert (called.channels, called.then) == (("live", "apprise", "sms"), ())
    assert [reason.role for reason in called.reasons] == ["emergency_centre"]


async def test_it_is_handed_over_once_more_only_by_who_knows(client: Client, village: World, case: Case) -> None:
    await post_of_110(village)
    await ask(client, village, case, "hand-over", {})
    status, problem = await ask(client, village, case, "hand-over", {})
    assert (status, problem["field"]) == (409, "again")
    assert "operator:wang" in problem["detail"]
    assert (await ask(client, village, case, "hand-over", {"again": True}))[0] == 200
    assert {step for step, person in (await village.desk.load(case.id)).calls if person == "c-110"} == {1, 2}


async def test_without_a_post_of_110_the_operator_is_told_to_telephone(
    client: Client, village: World, case: Case
) -> None:
    status, shown = await ask(client, village, case, "hand-over", {})
    assert (status, shown["handed_over"]["reached"]) == (200, False)
    assert any("telephone 110 yourself" in gap["reason"] for gap in shown["gaps"])


async def test_whether_110_was_reached_is_shown(client: Client, village: World, case: Case) -> None:
    await post_of_110(village)
    await ask(client, village, case, "hand-over", {})

    async def reached(**came: Any) -> object:
        outcomes = tuple(
            CallOutcome(step=1, responder=PersonId("c-110"), channel=channel, outcome=what, at=now())  # type: ignore[arg-type]
            for channel, what in came.items()
        )
        await village.do(case.id, RecordCalls, outcomes=outcomes)
        headers = await village.bearer("operator", "wang", "v-1")
        async with client.get(f"/v1/cases/{case.id}", headers=headers) as answer:
            return (await answer.json())["handed_over"]["reached"]

    assert await reached(live="failed", apprise="failed") is None
    assert await reached(sms="failed") is False
    assert await reached(apprise="sent") is True
