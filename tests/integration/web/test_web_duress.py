"""The duress PIN: at home all is as after a cancel, and for everybody else the case goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from dispatch.cases import AddNote, Cancel, Case, GiveAnswer, Resolve, SignalDuress
from dispatch.errors import Unavailable
from dispatch.identifiers import PersonId
from dispatch.projections import Projector, ReadModels
from dispatch.roster import Roster
from dispatch.web import aid, directory
from tests.integration.web.at_home import DURESS, HIM, HOME, PIN, ask, cancel, give_pins
from tests.integration.web.live_world import board_of
from tests.integration.web_world import World, page, until
from tests.projection_stories import projecting

Client = TestClient[Any, Any]


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
        await _shown_by_board(client, village, first)
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


class Reads:
    """What is asked of `roster` from now on; it can be taken away."""

    def __init__(self, roster: Roster, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[Any] = []
        self.away = False
        for name in ("entries", "posts_of"):
            patch.setattr(roster, name, self._counted(name, getattr(roster, name)))

    def _counted(self, name: str, read: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*what: Any) -> Any:
            self.asked.append((name, *(one if isinstance(one, str) else sorted(one) for one in what)))
            if self.away:
                raise Unavailable("gone")
            return await read(*what)

        return counted


@pytest.mark.parametrize("away", [False, True], ids=["the roster answers", "the roster is away"])
async def test_no_more_is_asked_of_the_roster_for_a_duress_than_for_a_cancel(
    client: Client,
    village: World,
    operator: dict[str, str],
    device: dict[str, str],
    him: dict[str, str],
    *,
    monkeypatch: pytest.MonkeyPatch,
    away: bool,
) -> None:
    """Else they could be told apart by how long an answer takes, and by what it lacks while the roster is away."""
    await give_pins(client, operator)
    told: list[tuple[list[Any], list[Any]]] = []
    for pin in (PIN, DURESS):
        with monkeypatch.context() as patch:
            patch.setattr(aid, "FRESH_SECONDS", -1)
            patch.setattr(directory, "FRESH_SECONDS", -1)
            case = await village.open_case(residents=(HIM,))
            reads = Reads(village.roster, patch)
            views = [(await cancel(client, device, case, pin=pin))[1]]
            reads.away = away
            if pin == DURESS:  # whom it calls then, nobody at home may know
                await village.widen(case.id, "p-3")
            await _shown_by_board(client, village, case)
            link = village.links.make(case.id, HIM).removeprefix(village.settings.url)
            for who, path in ((device, f"/v1/cases/{case.id}"), (him, f"/v1/cases/{case.id}"), ({}, f"{link}/case")):
                views.append((await ask(client, who, "GET", path))[1])
            for who in (device, him):
                async with page(client, who) as at_home:
                    views += [one for one in (await at_home.next("snapshot"))["cases"] if one["id"] == case.id]
            nameless = [_nameless(shown, case) | {"notification": "of its own case"} for shown in views]
            told.append((nameless, sorted(reads.asked)))
    assert told[1] == told[0]
    (_, shown, *_), asked = told[0]
    assert shown["escalation"]["next_call"] is None
    assert asked


async def _shown_by_board(client: Client, village: World, case: Case) -> int:
    """The newest commit of `case`, once the board has it."""
    newest = (await village.desk.load(case.id)).seq
    await until(lambda: board_of(client).position >= newest, "the board has all")
    return newest


async def test_a_change_told_live_asks_as_much_of_the_roster_after_a_duress_as_after_a_cancel(
    client: Client,
    village: World,
    operator: dict[str, str],
    device: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await give_pins(client, operator)
    told: list[list[Any]] = []
    for pin in (PIN, DURESS):
        case = await village.open_case()
        await _shown_by_board(client, village, case)
        async with page(client, device) as at_home:
            await at_home.next("snapshot")
            with monkeypatch.context() as patch:
                patch.setattr(aid, "FRESH_SECONDS", -1)
                reads = Reads(village.roster, patch)
                reads.away = True
                await village.do(case.id, SignalDuress if pin == DURESS else Cancel, by=f"device:{HOME}")
                ended = await at_home.next("case")
                told.append([_nameless(ended, case), sorted(reads.asked)])
    assert told[1] == told[0]
    assert told[0][0]["escalation"]["next_call"] is None


async def test_who_lives_there_sees_live_what_the_device_sees(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str], him: dict[str, str]
) -> None:
    await give_pins(client, operator)
    case, neighbour = await village.open_case(residents=(HIM,)), await village.bearer("responder", "p-1")
    await _shown_by_board(client, village, case)
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
        newest = await _shown_by_board(client, village, case)
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


async def test_under_duress_an_operator_calls_nobody_who_lives_there_however_much_they_insist(
    client: Client, village: World, operator: dict[str, str], device: dict[str, str]
) -> None:
    """It is said at once, with a way out: a call that is accepted and never rings would be waited for."""
    await give_pins(client, operator)
    case = await village.open_case(residents=(HIM,))
    assert (await cancel(client, device, case, pin=DURESS))[0] == 200
    before, path = await village.desk.load(case.id), f"/v1/cases/{case.id}/calls"
    status, problem = await ask(client, operator, "POST", path, {"responder": HIM, "even_left_out": True})
    assert (status, problem["type"], problem["field"]) == (409, "urn:dispatch:problem:over-at-home", "responder")
    for way_out in ("Call somebody else", "请呼叫他人"):
        assert way_out in problem["detail"]
    assert (await village.desk.load(case.id)).seq == before.seq, "nothing is owed that is not rung"
    assert (await ask(client, operator, "POST", path, {"responder": "p-3"}))[0] == 200


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
