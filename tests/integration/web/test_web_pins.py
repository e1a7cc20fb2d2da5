"""The PIN of a household, with which those who pressed may cancel."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from dispatch.cases import Case
from dispatch.events import PIN_TRIES, ensure_streams
from tests.integration.web.at_home import DURESS, HOME, PIN, ask, cancel, give_pins
from tests.integration.web_world import World

Client = TestClient[Any, Any]


@pytest.mark.parametrize(
    ("pin", "duress"),
    [("123", None), ("123456789", None), ("12a4", None), ("１２３４", None), (None, DURESS), (PIN, PIN)],
)
async def test_pins_that_cannot_be_are_refused(
    client: Client, operator: dict[str, str], pin: str | None, duress: str | None
) -> None:
    status, problem = await ask(
        client, operator, "POST", f"/v1/households/{HOME}/pin", {"pin": pin, "duress_pin": duress}
    )
    assert (status, problem["field"]) == (400, "duress_pin" if pin in {None, PIN} else "pin")


async def test_pins_are_kept_as_hashes_and_only_an_operator_of_the_area_sets_them(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str]
) -> None:
    await give_pins(client, operator)
    home = await village.roster.household(HOME)
    assert home is not None
    for kept in (home.pin, home.duress_pin):
        assert kept is not None
        assert kept.startswith("$argon2id$")
    assert {name: value for name, value in (await ask(client, device, "GET", "/v1/me"))[1].items() if name == "pin"}
    elsewhere = await village.bearer("operator", "li", "v-2")
    none = {"pin": None, "duress_pin": None}
    for who, expected in ((elsewhere, 404), (device, 403)):
        assert (await ask(client, who, "POST", f"/v1/households/{HOME}/pin", none))[0] == expected
    for half in ({}, {"pin": "2468"}, {"duress_pin": None}):
        assert (await ask(client, operator, "POST", f"/v1/households/{HOME}/pin", half))[0] == 400, "null is to be said"
    assert (await ask(client, operator, "POST", f"/v1/households/{HOME}/pin", none))[1]["pin"] is False


async def test_on_a_case_that_is_over_no_pin_can_be_guessed(
    client: Client, operator: dict[str, str], device: dict[str, str], case: Case
) -> None:
    await give_pins(client, operator)
    assert (await cancel(client, device, case, pin=PIN))[0] == 200
    assert {(await cancel(client, device, case, pin=pin))[0] for pin in (PIN, DURESS, "0000")} == {409}


async def test_a_household_with_a_pin_is_asked_for_it_and_the_alarm_goes_on(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str], case: Case
) -> None:
    await give_pins(client, operator)
    status, problem = await cancel(client, device, case)
    assert (status, problem["type"]) == (403, "urn:dispatch:problem:pin-needed")
    status, problem = await cancel(client, device, case, pin="0000")
    assert (status, problem["type"]) == (403, "urn:dispatch:problem:wrong-pin")
    assert (await village.desk.load(case.id)).is_open
    status, shown = await cancel(client, device, case, pin=PIN)
    assert (status, shown["status"]) == (200, "cancelled")
    closed = await village.desk.load(case.id)
    assert (closed.status, closed.duress) == ("cancelled", None)


async def test_a_pin_can_be_tried_a_few_times_a_minute(
    client: Client, operator: dict[str, str], device: dict[str, str], case: Case
) -> None:
    await give_pins(client, operator)
    answers = await asyncio.gather(*(cancel(client, device, case, pin=f"000{n}") for n in range(6)))
    assert sorted(status for status, _ in answers) == [403] * 4 + [429] * 2
    status, problem = await cancel(client, device, case, pin=PIN)
    assert (status, problem["field"]) == (429, "pin"), "nor is it told that this one is right"
    assert 0 < problem["retry_after"] <= 60


async def test_the_tries_of_all_processes_count_and_outlive_a_restart(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str], case: Case
) -> None:
    await give_pins(client, operator)
    async with village.served() as second:
        both = [cancel((client, second)[n % 2], device, case, pin=f"000{n}") for n in range(8)]
        assert sorted(status for status, _ in await asyncio.gather(*both)) == [403] * 4 + [429] * 4
    async with village.served() as restarted:
        status, problem = await cancel(restarted, device, case, pin=PIN)
        assert (status, problem["type"]) == (429, "urn:dispatch:problem:too-frequent")
        assert 0 < problem["retry_after"] <= 60


async def test_who_says_the_pin_may_try_again_in_every_process(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str]
) -> None:
    await give_pins(client, operator)
    async with village.served() as second:
        for pin in (PIN, DURESS):
            case = await village.open_case()
            assert [(await cancel(client, device, case, pin=f"000{n}"))[0] for n in range(3)] == [403] * 3
            assert (await cancel(second, device, case, pin=pin))[0] == 200


async def test_where_the_tries_cannot_be_kept_a_cancel_is_possible_and_guessing_is_not(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str], case: Case
) -> None:
    await give_pins(client, operator)
    js = village.nc.jetstream()
    await js.delete_stream(f"KV_{PIN_TRIES}")
    try:
        guesses = await asyncio.gather(*(cancel(client, device, case, pin=f"000{n}") for n in range(6)))
        assert sorted(status for status, _ in guesses) == [403] * 4 + [429] * 2
        async with village.served() as other:
            assert (await cancel(other, device, case, pin=PIN))[0] == 200
    finally:
        await ensure_streams(js)


async def test_an_operator_cancels_without_the_pin(client: Client, operator: dict[str, str], case: Case) -> None:
    await give_pins(client, operator)
    assert (await cancel(client, operator, case))[1]["status"] == "cancelled"


async def test_a_silent_alarm_is_cancelled_at_home_only_by_those_who_could_say_that_they_are_forced(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str]
) -> None:
    case = await village.open_case(silent=True)
    await give_pins(client, operator, duress=None)
    status, problem = await cancel(client, device, case, pin=PIN)
    assert (status, problem["type"]) == (403, "urn:dispatch:problem:forbidden")
    await give_pins(client, operator)
    assert (await cancel(client, device, case, pin=DURESS))[1]["status"] == "cancelled"
    assert (await village.desk.load(case.id)).duress is not None
