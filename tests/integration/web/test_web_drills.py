"""Drills over HTTP: for operators, each in their own area."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientError
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from dispatch.cases import RecordCalls
from dispatch.clock import now
from dispatch.events import INTAKE, CallOutcome, Press, decode_press
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId
from dispatch.projections import Projector
from dispatch.roster import Group, Household, WebhookPoint
from dispatch.web.ports import Accepted
from tests.integration.web_world import World
from tests.projection_stories import projecting

Client = TestClient[Any, Any]
Headers = dict[str, str]


async def ask(client: Client, headers: Headers, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    method = "GET" if body is None else "POST"
    async with client.request(method, path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def pressed(village: World) -> list[Press]:
    js = village.nc.jetstream()
    info = await js.stream_info(INTAKE, subjects_filter=f"intake.press.{village.site}.*")
    found = []
    for subject in info.state.subjects or {}:
        message = await js.get_last_msg(INTAKE, subject)
        found.append(decode_press(subject, message.headers, message.data or b"", arrived=now()))
    return found


@pytest.fixture
async def here(village: World) -> Headers:
    return await village.bearer("operator", "wang", "v-1")


@pytest.fixture
async def elsewhere(village: World) -> Headers:
    return await village.bearer("operator", "li", "v-2")


async def test_what_is_planned_is_shown_and_rings_nobody(client: Client, village: World, here: Headers) -> None:
    await village.roster.put(
        Group(id=GroupId("g-2"), name="二组", area=AreaId("v-1"), members=(PersonId("p-3"),)), by="test"
    )
    status, plan = await ask(client, here, "/v1/drills/plan", {"area": "v-1"})
    assert (status, plan["groups"], plan["people"]) == (200, 1, 2)
    assert [(one["household"], one["group_name"]) for one in plan["planned"]] == [("h-1", "一组")]
    assert [gap["what"] for gap in plan["left_out"]] == ["group g-2 二组"]
    assert await pressed(village) == []


async def test_the_same_request_again_is_the_same_drill(client: Client, village: World, here: Headers) -> None:
    headers, body = {**here, "Idempotency-Key": "one"}, {"groups": ["g-1"], "kind": "fire", "minutes": 5}
    first, again = [await ask(client, headers, "/v1/drills", body) for _ in range(2)]
    assert first == again
    drill = first[1]["drill"]
    (press,) = await pressed(village)
    assert (press.press, press.device, press.drill, press.kind) == (drill["id"], f"drill:{drill['id']}", True, "fire")
    assert (drill["by"], drill["households"], drill["over"]) == ("operator:wang", 1, False)


class CutOff:
    """Takes `so_many` presses, and is then cut off, as a process is that dies; keeps the households it pressed for."""

    def __init__(self, village: World, so_many: int) -> None:
        self._accept, self._left = village.deps().accept, so_many
        self.households: list[str] = []

    async def accept(self, press: Press) -> Accepted:
        self._left -= 1
        if self._left < 0:
            raise asyncio.CancelledError("the process died")
        self.households.append(press.household)
        return await self._accept(press)


async def test_the_same_request_after_a_death_presses_for_whoever_was_not_pressed_for_and_for_nobody_twice(
    village: World, here: Headers
) -> None:
    homes = ["h-1", "h-2", "h-3"]
    for home in homes[1:]:
        await village.roster.put(
            Household(id=HouseholdId(home), name=home, address="", area=AreaId("v-1"), group=GroupId("g-1")), by="test"
        )
    headers, body = {**here, "Idempotency-Key": "one"}, {"households": homes}
    dead, alive = CutOff(village, 1), CutOff(village, 99)
    async with village.served(accept=dead.accept) as client:
        with pytest.raises(ClientError):
            await ask(client, headers, "/v1/drills", body)
    assert len(await pressed(village)) == 1
    async with village.served(accept=alive.accept) as client:
        first, again = [await ask(client, headers, "/v1/drills", body) for _ in range(2)]
        assert first == again
        assert (first[0], first[1]["failed"]) == (200, [])
    assert sorted(dead.households + alive.households) == homes
    assert {press.press for press in await pressed(village)} == {first[1]["drill"]["id"]}


async def test_nobody_is_pressed_for_when_the_drill_is_over(village: World, here: Headers) -> None:
    headers, body = {**here, "Idempotency-Key": "one"}, {"households": ["h-1"]}
    dead = CutOff(village, 0)
    async with village.served(accept=dead.accept) as client:
        with pytest.raises(ClientError):
            await ask(client, headers, "/v1/drills", body)
    async with village.served() as client:
        (known,) = (await ask(client, here, "/v1/drills"))[1]["drills"]
        assert (await ask(client, here, f"/v1/drills/{known['id']}/end", {}))[0] == 200
        assert (await ask(client, headers, "/v1/drills", body))[1]["failed"] == []
    assert await pressed(village) == []


async def test_a_drill_is_nobody_else_s(client: Client, village: World, here: Headers, elsewhere: Headers) -> None:
    status, begun = await ask(client, here, "/v1/drills", {"households": ["h-1"]})
    assert status == 200
    path = f"/v1/drills/{begun['drill']['id']}"
    for headers, expected in ((here, 200), (elsewhere, 404), (await village.bearer("operator", "chief"), 200)):
        assert (await ask(client, headers, path))[0] == expected
        async with client.get(f"{path}/report.csv", headers=headers) as answer:
            assert answer.status == expected
        _, listed = await ask(client, headers, "/v1/drills")
        assert [one["id"] for one in listed["drills"]] == ([begun["drill"]["id"]] if expected == 200 else [])
    assert (await ask(client, elsewhere, f"{path}/end", {}))[0] == 404
    status, ended = await ask(client, here, f"{path}/end", {})
    assert (status, ended["over"]) == (200, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"groups": ["g-1"], "area": "v-1"}, 400),
        ({"groups": ["g-1"], "minutes": 0}, 400),
        ({"groups": ["g-1"], "minutes": 121}, 400),
        ({"groups": ["g-9"]}, 404),
        ({"area": "v-9"}, 404),
        ({"area": "t-1"}, 404),
        ({"households": ["h-9"]}, 404),
    ],
)
async def test_what_cannot_be_is_refused_and_rings_nobody(
    client: Client, village: World, here: Headers, body: dict[str, Any], status: int
) -> None:
    assert (await ask(client, here, "/v1/drills", body))[0] == status
    assert await pressed(village) == []


@pytest.mark.parametrize("body", [{"groups": ["g-1"]}, {"area": "v-1"}, {"households": ["h-1"]}])
async def test_nobody_drills_another_area(
    client: Client, village: World, elsewhere: Headers, body: dict[str, Any]
) -> None:
    for path in ("/v1/drills/plan", "/v1/drills"):
        assert (await ask(client, elsewhere, path, body))[0] == 404
    for role, subject in (("responder", "p-1"), ("device", "h-1"), ("monitor", "prom")):
        assert (await ask(client, await village.bearer(role, subject), "/v1/drills", body))[0] == 403
    assert await pressed(village) == []


async def test_a_household_with_an_open_case_takes_no_part_and_another_of_its_group_does(
    client: Client, village: World, here: Headers
) -> None:
    home = Household(id=HouseholdId("h-2"), name="王家", address="2 号", area=AreaId("v-1"), group=GroupId("g-1"))
    await village.roster.put(home, by="test")
    await village.open_case("h-1")
    status, plan = await ask(client, here, "/v1/drills/plan", {"groups": ["g-1"]})
    assert (status, [one["household"] for one in plan["planned"]]) == (200, ["h-2"])
    status, plan = await ask(client, here, "/v1/drills/plan", {"households": ["h-1"]})
    assert (plan["planned"], [gap["what"] for gap in plan["left_out"]]) == ([], ["household h-1"])


async def test_reachability_says_who_is_proven_and_who_is_not(
    client: Client, village: World, dsn: str, here: Headers, elsewhere: Headers
) -> None:
    for name, retired in (("p-1", None), ("p-2", "HTTP 410")):
        point = WebhookPoint(url="https://x.example", secret="s", retired=retired)
        person = (await village.roster.people([PersonId(name)]))[PersonId(name)]
        await village.roster.put(replace(person, contact_points=(point,)), by="test")
    case = await village.open_case(drill=True)
    delivered = CallOutcome(step=0, responder=PersonId("p-1"), channel="webpush", outcome="delivered", at=now())
    await village.do(case.id, RecordCalls, outcomes=(delivered,))
    async with projecting(Projector(village.nc, village.log, dsn)):
        assert await village.read_models.wait_for(await village.log.last_sequence(), 10)
    status, found = await ask(client, here, "/v1/reachability")
    assert status == 200
    (group,) = found["groups"]
    assert (group["group"], group["bound"], group["proven"], group["score"]) == ("g-1", 2, 1, 0.5)
    assert [(one["standing"], one["retired"]) for one in group["people"]] == [("proven", []), ("retired", ["HTTP 410"])]
    assert (await ask(client, elsewhere, "/v1/reachability"))[1]["groups"] == []
    assert (await ask(client, elsewhere, "/v1/reachability?area=v-1"))[0] == 404
