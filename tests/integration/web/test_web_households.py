"""An operator finds a household by what a caller on the telephone says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from dispatch.identifiers import AreaId, HouseholdId
from dispatch.roster import Household
from dispatch.web.api import households
from tests.integration.web_world import World, settings_of, village_of
from tests.servers import Servers

Client = TestClient[Any, Any]


@pytest.fixture
async def village(servers: Servers, dsn: str) -> AsyncIterator[World]:
    async with village_of(settings_of(servers), dsn) as made:
        for id_, name, area in (("h-2", "王家", "v-1"), ("h-10", "李家大院", "v-2")):
            home = Household(
                id=HouseholdId(id_),
                name=name,
                address=f"{name} 9 号",
                area=AreaId(area),
                phone=f"+86139000010{id_[2:]}",
            )
            await made.roster.put(home, by="test")
        yield made


async def found(client: Client, village: World, asked: str, area: str | None = None) -> tuple[set[str], bool]:
    headers = await village.bearer("operator", "wang", area)
    response = await client.get("/v1/households", params={"q": asked}, headers=headers)
    assert response.status == 200, await response.text()
    answer = await response.json()
    return {one["id"] for one in answer["households"]}, answer["complete"]


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("李家", {"h-1", "h-10"}),
        ("李家 大院", {"h-10"}),
        ("号 9", {"h-2", "h-10"}),  # words in any order: who types hears them as they come
        ("139 0000 0001", {"h-1"}),
        ("H-2", {"h-2"}),
        ("没有这家", set()),
    ],
)
async def test_a_household_is_found_by_name_address_telephone_and_number(
    client: Client, village: World, asked: str, ids: set[str]
) -> None:
    assert await found(client, village, asked) == (ids, True)


async def test_what_is_found_tells_one_household_from_another(client: Client, village: World) -> None:
    headers = await village.bearer("operator", "wang")
    answer = await (await client.get("/v1/households", params={"q": "h-2"}, headers=headers)).json()
    assert answer["households"] == [
        {
            "id": "h-2",
            "name": "王家",
            "address": "王家 9 号",
            "phone": "+861390000102",
            "areas": ["茅州村", "茅州镇"],
        }
    ]


async def test_nobody_finds_a_household_outside_their_area(client: Client, village: World) -> None:
    assert await found(client, village, "李家", "v-1") == ({"h-1"}, True)
    assert await found(client, village, "h-10", "v-1") == (set(), True)
    assert await found(client, village, "李家", "t-1") == ({"h-1", "h-10"}, True)


async def test_an_answer_is_bounded_and_says_so(
    client: Client, village: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(households, "MOST", 2)
    ids, complete = await found(client, village, "号")
    assert (len(ids), complete) == (2, False)


async def test_one_named_by_its_number_is_found_even_when_there_is_no_time_to_read_on(
    client: Client, village: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(households, "SECONDS", 0)
    assert await found(client, village, "h-10") == ({"h-10"}, False)
    assert await found(client, village, "李家") == (set(), False)
