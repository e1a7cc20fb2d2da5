"""Who is left out of the calls for a household, and who is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from nats.js.errors import APIError

from dispatch.cases import Case, GiveAnswer, Resolve, SignalDuress
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.projections import Projector
from dispatch.roster import Household, Roster
from tests.integration.web.at_home import HIM, HOME, ask
from tests.integration.web_world import World, page
from tests.projection_stories import projecting

Client = TestClient[Any, Any]

REASON = "violent towards her"


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


class Overtaken(Roster):
    """While what it says of a household is on its way, something else happens."""

    def __init__(self, village: World, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(village.nc, village.site)
        self._meanwhile = meanwhile

    async def household(self, id_: HouseholdId) -> Household | None:
        said = await super().household(id_)
        await self._meanwhile()
        return said


@pytest.mark.parametrize(("what", "refusal"), [("left out", "left-out"), ("duress", "over-at-home")])
async def test_who_must_not_be_called_any_more_since_the_roster_was_asked_is_not_called(
    what: str, refusal: str, client: Client, village: World, operator: dict[str, str]
) -> None:
    her = PersonId("p-3")
    case = await village.open_case(residents=(her,))

    async def meanwhile() -> None:
        if what == "duress":
            await village.do(case.id, SignalDuress, by=f"device:{HOME}")
        else:
            assert (await leave_out(client, operator, her))[0] == 200

    async with village.served(roster=Overtaken(village, meanwhile)) as late:
        status, problem = await ask(late, operator, "POST", f"/v1/cases/{case.id}/calls", {"responder": her})
    assert (status, problem["type"]) == (409, f"urn:dispatch:problem:{refusal}")
    assert her not in {person for _, person in (await village.desk.load(case.id)).calls}


async def test_a_page_of_who_was_not_called_is_told_nothing_when_they_are_left_out(
    client: Client, village: World, operator: dict[str, str], case: Case
) -> None:
    her = PersonId("p-3")
    async with page(client, await village.bearer("responder", her)) as hers:
        await hers.next("snapshot")
        assert (await leave_out(client, operator, her))[0] == 200
        assert (await village.desk.load(case.id)).left_out == {her}
        await village.widen(case.id, her)
        assert (await hers.next("snapshot", "case")).name == "case"


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
