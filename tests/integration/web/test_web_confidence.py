"""What a household trusts the desk with: its PIN and duress PIN, and who is left out of the calls for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from nats.js.errors import APIError

from dispatch.cases import AddNote, Case, GiveAnswer, Resolve
from dispatch.events import PIN_TRIES, ensure_streams
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.projections import Projector, ReadModels
from tests.integration.web.live_world import board_of
from tests.integration.web_world import World, page, until
from tests.projection_stories import projecting

Client = TestClient[Any, Any]
HOME, PIN, DURESS = HouseholdId("h-1"), "4711", "0815"
HIM = PersonId("p-2")
REASON = "violent towards her"


@pytest.fixture
async def device(village: World) -> dict[str, str]:
    return await village.bearer("device", HOME)


@pytest.fixture
async def him(village: World) -> dict[str, str]:
    return await village.bearer("responder", HIM)


async def ask(
    client: Client, who: Mapping[str, str], method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    async with client.request(method, path, json=body, headers={**who, **headers}) as answer:
        return answer.status, await answer.json()


async def give_pins(client: Client, operator: dict[str, str], pin: str = PIN, duress: str | None = DURESS) -> None:
    body = {"pin": pin, "duress_pin": duress}
    status, told = await ask(client, operator, "POST", f"/v1/households/{HOME}/pin", body)
    assert (status, told) == (200, {"household": HOME, "pin": True, "duress_pin": duress is not None})


async def cancel(client: Client, who: Mapping[str, str], case: Case, **body: str) -> tuple[int, Any]:
    return await ask(client, who, "POST", f"/v1/cases/{case.id}/cancel", body)


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


async def test_the_duress_pin_is_answered_just_as_the_pin_is(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str]
) -> None:
    """Byte for byte, but for ids and times; and so is all that comes after, in the same order."""
    told: list[list[tuple[int, Any]]] = []
    await give_pins(client, operator)
    for pin in (PIN, DURESS):
        case = await village.open_case()
        await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page", eta_minutes=4)
        answers = [await cancel(client, device, case, pin=pin, reason="a slip")]
        answers.append(await ask(client, device, "GET", f"/v1/cases/{case.id}"))
        answers.append(await cancel(client, device, case, pin=PIN))
        answers.append(await cancel(client, device, case, pin=DURESS))
        told.append([(status, _nameless(shown, case)) for status, shown in answers])
    assert told[0] == told[1]
    assert [status for status, _ in told[1]] == [200, 200, 409, 409]


def _nameless(shown: dict[str, Any], case: Case) -> dict[str, Any]:
    """`shown` without what differs from case to case."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items() if name != "seq"}
        if isinstance(value, list):
            return [plain(one) for one in value]
        if isinstance(value, str):
            return "time" if value.endswith("Z") and "T" in value else value.replace(case.id, "case")
        return value

    return plain(shown)  # type: ignore[no-any-return]


async def test_a_press_after_a_duress_is_seen_at_home_as_one_after_a_cancel(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str]
) -> None:
    """Whatever the household's device asks or is told, also while the first case goes on; ids and times aside."""
    told: list[list[Any]] = []
    await give_pins(client, operator)
    for pin in (PIN, DURESS):
        first = await village.open_case()
        async with page(client, device) as at_home:
            await at_home.next("snapshot")
            answers = [await cancel(client, device, first, pin=pin)]
            ended = await at_home.next("case")
            second = await village.open_case()
            opened = await at_home.next("case")
            if pin == DURESS:
                await village.do(first.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page")
            await village.do(second.id, GiveAnswer, responder=HIM, answer="going", via="page")
            answered = await at_home.next("case")
            answers += [await ask(client, device, "GET", f"/v1/cases/{case.id}") for case in (first, second)]
            answers.append(await cancel(client, device, second, pin=pin))
            told_live = [ended, opened, answered, await at_home.next("case")]
        async with page(client, device) as reloaded:
            known = {view["id"]: view["status"] for view in (await reloaded.next("snapshot"))["cases"]}
        views = [shown for _, shown in answers] + [*told_live]
        told.append(
            [[status for status, _ in answers], [known[case.id] for case in (first, second)]]
            + [_nameless(_nameless(shown, first), second) for shown in views]
        )
        assert (await village.desk.load(first.id)).is_open == (pin == DURESS), "the second cancel is not the first's"
    assert told[0] == told[1]


async def test_who_lives_there_sees_live_what_the_device_sees(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str], him: dict[str, str]
) -> None:
    await give_pins(client, operator)
    case, neighbour = await village.open_case(residents=(HIM,)), await village.bearer("responder", "p-1")
    async with page(client, him) as at_home, page(client, neighbour) as called:
        (before,) = (await at_home.next("snapshot"))["cases"]
        await called.next("snapshot")
        await cancel(client, device, case, pin=DURESS)
        cancelled = await at_home.next("case")
        assert cancelled["status"] == "cancelled"
        assert cancelled["version"] > before["version"], "else the page keeps what it has"
        await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page")
        assert (await called.case(lambda view: view["coming"] == 1))["duress"]
        other = await village.open_case(residents=(HIM,))
        shown = await at_home.next("case")
        assert (shown["id"], shown["duress"], shown["beside"]) == (other.id, False, None)
        assert (await called.case(lambda view: view["id"] == other.id))["beside"] == case.id
    assert cancelled.position is None
    async with page(client, him, last=case.seq) as reloaded:
        snapshot = {view["id"]: view["status"] for view in (await reloaded.next("snapshot"))["cases"]}
    assert snapshot == {case.id: "cancelled", other.id: "raised"}
    link = village.links.make(case.id, HIM).removeprefix(village.settings.url)
    assert (await ask(client, {}, "GET", f"{link}/case"))[1]["household"]["address"] == "", "as of one that is over"


async def test_nothing_at_home_counts_what_is_hidden_there(
    client: Client, village: World, device: dict[str, str], him: dict[str, str], dsn: str
) -> None:
    """On a site where nothing else happens any number of the log would tell that the case goes on."""
    await give_pins(client, await village.bearer("operator", "wang"))
    case = await village.open_case(residents=(HIM,))
    assert (await cancel(client, device, case, pin=DURESS))[0] == 200
    link = village.links.make(case.id, HIM).removeprefix(village.settings.url)

    async def told() -> list[Any]:
        newest = (await village.desk.load(case.id)).seq
        await until(lambda: board_of(client).position >= newest, "the board has all")
        assert await village.read_models.wait_for(newest, 10)
        everything: list[Any] = [
            await ask(client, who, "GET", path)
            for who, path in (
                (device, f"/v1/cases/{case.id}"),
                (him, f"/v1/cases/{case.id}"),
                (him, f"/v1/cases/{case.id}/timeline"),
                (him, f"/v1/cases/{case.id}/calls"),
                ({}, f"{link}/case"),
                ({}, "/readyz"),
            )
        ]
        for who in (device, him):
            async with page(client, who) as at_home:
                snapshot = await at_home.next("snapshot")
                everything.append((snapshot.position, dict(snapshot)))
        return everything

    async with projecting(Projector(village.nc, village.log, dsn)):
        before = await told()
        for number in range(3):
            await village.do(case.id, AddNote, author="operator:wang", text=f"{number}")
        await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page")
        assert await told() == before
    assert [status for status, _ in before[:6]] == [200] * 6
    assert "seq" not in str(before)


async def test_who_is_no_operator_reads_of_their_case_what_they_did_without_knowing_where_that_stands(
    client: Client, village: World, phone: dict[str, str], him: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, device = await village.bearer("operator", "wang"), await village.bearer("device", HOME)
    waited: list[int] = []

    async def wait_for(_models: ReadModels, seq: int, timeout: float) -> bool:  # noqa: ASYNC109
        waited.append(seq)
        return timeout > 0

    monkeypatch.setattr(ReadModels, "wait_for", wait_for)
    await give_pins(client, operator)
    case = await village.open_case(residents=(HIM,))
    assert (await cancel(client, device, case, pin=DURESS))[0] == 200
    signalled = (await village.desk.load(case.id)).seq
    newest = (await village.do(case.id, AddNote, author="operator:wang", text="x")).seq
    for who, known in ((phone, newest), (him, signalled), (operator, 3)):
        for what in ("timeline", "calls"):
            assert (await ask(client, who, "GET", f"/v1/cases/{case.id}/{what}?min_seq=3"))[0] == 200
        assert waited == [known, known]
        waited.clear()


async def test_under_duress_the_case_goes_on_for_all_but_the_device(
    client: Client, village: World, device: dict[str, str], phone: dict[str, str], case: Case
) -> None:
    operator = await village.bearer("operator", "wang")
    await give_pins(client, operator)
    async with page(client, device) as at_home, page(client, phone) as called, page(client, operator) as desk:
        for one in (at_home, called, desk):
            await one.next("snapshot")
        await cancel(client, device, case, pin=DURESS)
        shown = await at_home.case(lambda view: view["status"] == "cancelled")
        assert "duress" not in shown
        for one in (called, desk):
            seen = await one.case(lambda view: view["duress"])
            assert (seen["status"], seen["silent"], seen["escalation"]["waits_for"]["because"]) == (
                "raised", True, "duress",
            )  # fmt: skip
        await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page")
        await desk.case(lambda view: view["coming"] == 1)
        await village.do(case.id, Resolve, by="operator:wang", resolution="helped")
        await desk.case(lambda view: view["status"] == "resolved")
        # What comes next at home is the next case and not a word of this one.
        other = await village.open_case()
        assert (await at_home.next("case"))["id"] == other.id
    async with page(client, device) as reloaded:
        snapshot = {view["id"]: view["status"] for view in (await reloaded.next("snapshot"))["cases"]}
    assert snapshot == {case.id: "cancelled", other.id: "raised"}


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


async def leave_out(client: Client, who: dict[str, str], person: str = HIM) -> tuple[int, Any]:
    body = {"person": person, "reason": REASON}
    return await ask(client, who, "POST", f"/v1/households/{HOME}/left-out", body)


async def test_who_is_left_out_while_a_case_is_open_sees_nothing_of_it_any_more(
    client: Client, village: World, phone: dict[str, str], him: dict[str, str], case: Case
) -> None:
    operator = await village.bearer("operator", "wang")
    await village.do(case.id, GiveAnswer, responder=HIM, answer="going", via="page")
    link = village.links.make(case.id, HIM).removeprefix(village.settings.url)
    async with page(client, him) as his, page(client, phone) as hers:
        before = await his.next("snapshot")
        assert [view["id"] for view in before["cases"]] == [case.id]
        assert (await hers.next("snapshot"))["cases"][0]["coming"] == 1
        assert (await leave_out(client, operator))[0] == 200
        after = await his.next("snapshot", "case")
        assert (after.name, after["cases"]) == ("snapshot", [])
        shown = await hers.case(lambda view: view["coming"] == 0)
        assert HIM not in str(shown)
        await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="on_scene", via="page")
        await hers.case(lambda view: view["on_scene"] == 1)
        await village.do(case.id, Resolve, by="operator:wang", resolution="helped")
        await hers.case(lambda view: view["status"] == "resolved")
    assert [event.name for event in his.seen if event.name == "case"] == []
    async with page(client, him, last=before.position) as back:
        assert (await back.next("snapshot", "case")).name == "snapshot", "what his page still shows is taken back"
    for path in (f"/v1/cases/{case.id}", f"/v1/cases/{case.id}/timeline", f"/v1/cases/{case.id}/calls"):
        assert (await ask(client, him, "GET", path))[0] == 404
    assert (await ask(client, {}, "GET", f"{link}/case"))[0] == 404
    assert (await ask(client, {}, "POST", link, {"answer": "going"}))[0] == 404


async def test_operators_alone_are_told_who_is_left_out(
    client: Client, village: World, phone: dict[str, str], device: dict[str, str], case: Case
) -> None:
    operator = await village.bearer("operator", "wang")
    await leave_out(client, operator)
    (told,) = (await ask(client, operator, "GET", f"/v1/cases/{case.id}"))[1]["left_out"]
    assert (told["person"], told["name"], told["by"], told["reason"]) == (HIM, "人2", "operator:wang", REASON)
    for who in (phone, device):
        shown = (await ask(client, who, "GET", f"/v1/cases/{case.id}"))[1]
        assert "left_out" not in shown
        assert HIM not in str(shown)
    for who in (phone, device):
        assert (await ask(client, who, "GET", f"/v1/households/{HOME}/left-out"))[0] == 403
    elsewhere = await village.bearer("operator", "li", "v-2")
    assert (await ask(client, elsewhere, "GET", f"/v1/households/{HOME}/left-out"))[0] == 404


async def test_the_trail_is_kept_when_it_is_taken_back(client: Client, operator: dict[str, str]) -> None:
    path = f"/v1/households/{HOME}/left-out"
    await leave_out(client, operator)
    await leave_out(client, operator)
    status, told = await ask(client, operator, "DELETE", f"{path}/{HIM}")
    assert (status, told["left_out"]) == (200, [])
    assert [(one["what"], one["by"], one["reason"]) for one in told["trail"]] == [
        ("left_out", "operator:wang", REASON), ("let_in", "operator:wang", ""),
    ]  # fmt: skip
    assert (await ask(client, operator, "DELETE", f"{path}/{HIM}"))[0] == 404
    assert (await leave_out(client, operator, "p-none"))[0] == 404


async def test_nobody_can_change_the_trail(client: Client, village: World, operator: dict[str, str]) -> None:
    await leave_out(client, operator)
    js = village.nc.jetstream()
    with pytest.raises(APIError, match="not permitted"):
        await js.purge_stream("AUDIT")
    with pytest.raises(APIError, match="not permitted"):
        await js.delete_msg("AUDIT", 1)


async def test_who_is_left_out_is_called_only_when_the_operator_says_so(
    client: Client, operator: dict[str, str], him: dict[str, str], case: Case
) -> None:
    await leave_out(client, operator)
    path = f"/v1/cases/{case.id}/calls"
    status, problem = await ask(client, operator, "POST", path, {"responder": HIM})
    assert (status, problem["type"]) == (409, "urn:dispatch:problem:left-out")
    assert (await ask(client, operator, "POST", path, {"responder": HIM, "even_left_out": True}))[0] == 200
    assert (await ask(client, him, "GET", f"/v1/cases/{case.id}"))[0] == 200


async def test_what_the_timeline_says_of_it_is_for_operators(
    client: Client, village: World, dsn: str, phone: dict[str, str], case: Case
) -> None:
    operator = await village.bearer("operator", "wang")
    await leave_out(client, operator)
    seen: dict[str, list[str]] = {}
    async with projecting(Projector(village.nc, village.log, dsn)):
        assert await village.read_models.wait_for((await village.desk.load(case.id)).seq, 10)
        for name, who in (("operator", operator), ("responder", phone)):
            path = f"/v1/cases/{case.id}/timeline"
            seen[name] = [entry["type"] for entry in (await ask(client, who, "GET", path))[1]["entries"]]
            calls = (await ask(client, who, "GET", f"/v1/cases/{case.id}/calls"))[1]["calls"]
            assert (HIM in {one["responder"] for one in calls}) == (name == "operator")
    assert seen["operator"] == [*seen["responder"], "responder_left_out"]
