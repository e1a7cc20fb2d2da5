"""Whom an operator of one area may name: those who have to do with it, or with a case that they may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from dispatch.cases import Case
from dispatch.identifiers import AreaId, GroupId, PersonId, PostId
from dispatch.roster import Area, Document, Duty, Group, Post
from tests.integration.web_world import World
from tests.waiting import until

Client = TestClient[Any, Any]
SOMEBODY, NOBODY = PersonId("p-3"), "p-9"
HERE, ABOVE, NEXT = AreaId("v-1"), AreaId("t-1"), AreaId("v-2")

WAYS = {
    "calls": ("/v1/cases/{case}/calls", "responder", {}),
    "left out": ("/v1/households/h-1/left-out", "person", {"reason": "violent"}),
}


async def name(client: Client, who: Mapping[str, str], way: str, case: Case, person: str) -> tuple[int, Any]:
    path, field, more = WAYS[way]
    async with client.post(path.format(case=case.id), json={field: person, **more}, headers=who) as answer:
        return answer.status, await answer.json()


def duty(area: AreaId, role: Any = "auxiliary_officer") -> Post:
    return Post(id=PostId("post"), area=area, role=role, name="岗", duty=(Duty(person=SOMEBODY),))


@pytest.mark.parametrize("way", WAYS)
async def test_who_is_in_another_area_is_refused_as_one_who_does_not_exist(
    client: Client, village: World, case: Case, way: str
) -> None:
    await village.roster.put(Group(id=GroupId("g-2"), name="别组", area=NEXT, members=(SOMEBODY,)), by="test")
    wang = await village.bearer("operator", "wang", HERE)
    refused = [await name(client, wang, way, case, person) for person in (SOMEBODY, NOBODY)]
    assert [status for status, _ in refused] == [404, 404]
    plain = [str(problem).replace(person, "") for (_, problem), person in zip(refused, (SOMEBODY, NOBODY), strict=True)]
    assert plain[0] == plain[1]
    assert SOMEBODY not in (await village.desk.load(case.id)).called()
    assert (await name(client, await village.bearer("operator", "li"), way, case, SOMEBODY))[0] == 200, "the whole site"


@pytest.mark.parametrize(
    "document",
    [
        Group(id=GroupId("g-2"), name="二组", area=HERE, members=(SOMEBODY,)),
        Group(id=GroupId("g-1"), name="一组", area=HERE, members=(PersonId("p-1"),), leader=SOMEBODY),
        duty(HERE),
        duty(ABOVE, "station"),
        duty(NEXT),
    ],
    ids=["group", "leader", "post", "post above", "post of a neighbouring village"],
)
async def test_who_can_be_called_to_the_aid_of_the_area_may_be_named(
    client: Client, village: World, case: Case, document: Document
) -> None:
    await village.roster.put(Area(id=HERE, name="茅州村", kind="village", parent=ABOVE, neighbours=(NEXT,)), by="test")
    await village.roster.put(document, by="test")
    wang = await village.bearer("operator", "wang", HERE)
    assert (await name(client, wang, "calls", case, SOMEBODY))[0] == 200


async def found(client: Client, who: Mapping[str, str], asked: str) -> list[dict[str, Any]]:
    async with client.get("/v1/people", params={"q": asked}, headers=who) as answer:
        assert answer.status == 200
        told = await answer.json()
    assert told["complete"]
    return list(told["people"])


async def test_who_may_be_named_is_found_by_part_of_a_name_a_group_or_a_telephone_and_nobody_else(
    client: Client, village: World
) -> None:
    await village.roster.put(Group(id=GroupId("g-2"), name="别组", area=NEXT, members=(SOMEBODY,)), by="test")
    wang, li = await village.bearer("operator", "wang", HERE), await village.bearer("operator", "li")
    first = {"id": "p-1", "name": "人1", "phone": "+8613800000001", "of": ["茅州村 一组"]}
    for asked in ("人1", "茅州村 P-1", "138 0000 0001"):
        assert await found(client, wang, asked) == [first]
    assert [one["id"] for one in await found(client, wang, "一组")] == ["p-1", "p-2"]
    assert await found(client, wang, "人3") == []
    assert [one["of"] for one in await found(client, li, "人3")] == [["别村 别组"]]

    case = await village.open_case(called=("p-1", SOMEBODY))
    await until(lambda: found(client, wang, "人3"), "the board to have the case")
    assert (await name(client, wang, "calls", case, SOMEBODY))[0] == 200


async def test_the_leader_of_a_neighbouring_group_may_be_named(client: Client, village: World, case: Case) -> None:
    for document in (
        Group(id=GroupId("g-2"), name="别组", area=NEXT, members=(), leader=SOMEBODY),
        Group(id=GroupId("g-1"), name="一组", area=HERE, members=(PersonId("p-1"),), neighbours=(GroupId("g-2"),)),
    ):
        await village.roster.put(document, by="test")
    assert (await name(client, await village.bearer("operator", "wang", HERE), "calls", case, SOMEBODY))[0] == 200


async def test_who_is_on_a_case_that_they_may_see_may_be_named(client: Client, village: World) -> None:
    case = await village.open_case(called=("p-1", SOMEBODY))
    wang = await village.bearer("operator", "wang", HERE)
    for way in WAYS:

        async def may_be_named(way: str = way) -> bool:
            return (await name(client, wang, way, case, SOMEBODY))[0] == 200

        await until(may_be_named, "the board to have the case")


async def test_who_lives_there_is_called_on_a_silent_case_only_when_the_operator_says_so(
    client: Client, village: World
) -> None:
    case = await village.open_case(silent=True, residents=(PersonId("p-1"),))
    li = await village.bearer("operator", "li")
    status, problem = await name(client, li, "calls", case, "p-1")
    assert (status, problem["type"]) == (409, "urn:dispatch:problem:left-out")
    assert (await name(client, li, "calls", case, SOMEBODY))[0] == 200
