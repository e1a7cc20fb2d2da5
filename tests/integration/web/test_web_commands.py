"""What is done to cases over HTTP, by those who are signed in and by one-tap links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from dispatch.cases import Case, RaiseAlarm
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import Press
from dispatch.identifiers import HouseholdId, PersonId, PressId
from dispatch.projections import ReadModels
from dispatch.web.api import cases
from dispatch.web.parts import PARTS
from tests.integration.web_world import World, settings_of, world
from tests.servers import Servers

Client = TestClient[Any, Any]


class TestCases:
    async def test_an_answer_shows_on_the_case(self, client: Client, village: World, case: Case) -> None:
        headers = await village.bearer("responder", "p-1")
        body = {"answer": "going", "eta_minutes": 5}
        shown = await (await client.post(f"/v1/cases/{case.id}/replies", json=body, headers=headers)).json()
        assert (shown["status"], shown["coming"], shown["you"]) == ("under_way", 1, "p-1")
        resident = await village.bearer("device", "h-1")
        seen = await (await client.get(f"/v1/cases/{case.id}", headers=resident)).json()
        assert (seen["coming"], seen["nearest_eta_at"]) == (1, shown["nearest_eta_at"])
        reply = (await village.desk.load(case.id)).replies[PersonId("p-1")]
        assert (reply.answer, reply.eta_minutes) == ("going", 5)

    async def test_an_operator_writes_down_what_a_responder_said(
        self, client: Client, village: World, case: Case
    ) -> None:
        headers = await village.bearer("operator", "wang")
        body = {"answer": "cannot", "responder": "p-2"}
        assert (await client.post(f"/v1/cases/{case.id}/replies", json=body, headers=headers)).status == 200
        assert (await village.desk.load(case.id)).replies[PersonId("p-2")].answer == "cannot"
        nobody = {"answer": "going", "responder": "p-3"}
        assert (await client.post(f"/v1/cases/{case.id}/replies", json=nobody, headers=headers)).status == 403

    async def test_somebody_called_later_may_answer_at_once(self, client: Client, village: World, case: Case) -> None:
        """The desk here has seen the case before; a second process has changed it since."""
        headers = await village.bearer("operator", "wang")
        await client.get(f"/v1/cases/{case.id}", headers=headers)
        await village.widen(case.id, "p-3")
        late = await village.bearer("responder", "p-3")
        response = await client.post(f"/v1/cases/{case.id}/replies", json={"answer": "going"}, headers=late)
        assert response.status == 200

    async def test_the_same_key_is_carried_out_once(self, client: Client, village: World, case: Case) -> None:
        headers = {**await village.bearer("operator", "wang"), "Idempotency-Key": "note-1"}
        for _ in range(2):
            response = await client.post(f"/v1/cases/{case.id}/notes", json={"text": "同一条"}, headers=headers)
            assert response.status == 200
        other = {**await village.bearer("operator", "li"), "Idempotency-Key": "note-1"}
        await client.post(f"/v1/cases/{case.id}/notes", json={"text": "另一条"}, headers=other)
        assert [n.text for n in (await village.desk.load(case.id)).notes] == ["同一条", "另一条"]

    async def test_an_author_has_so_many_notes_on_a_case_and_a_repeated_one_is_none_more(
        self, client: Client, village: World, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cases, "NOTES_PER_AUTHOR", 2)
        wang, path = await village.bearer("operator", "wang"), f"/v1/cases/{case.id}/notes"

        async def noted(key: str, who: dict[str, str] = wang) -> ClientResponse:
            return await client.post(path, json={"text": key}, headers={**who, "Idempotency-Key": key})

        assert [(await noted(key)).status for key in ("a", "b", "c", "b")] == [200, 200, 422, 200]
        problem = await (await noted("c")).json()
        assert (problem["field"], problem["limit"]) == ("text", 2)
        assert "a colleague" in problem["detail"]
        assert (await noted("d", await village.bearer("responder", "p-1"))).status == 200
        assert [note.text for note in (await village.desk.load(case.id)).notes] == ["a", "b", "d"]

    async def test_a_note_is_so_long_and_no_longer(self, client: Client, village: World, case: Case) -> None:
        wang, path = await village.bearer("operator", "wang"), f"/v1/cases/{case.id}/notes"
        assert (await client.post(path, json={"text": "一" * 2000}, headers=wang)).status == 200
        refused = await client.post(path, json={"text": "一" * 2001}, headers=wang)
        problem = await refused.json()
        assert (refused.status, problem["field"]) == (400, "text")
        assert "at most 2000 characters" in problem["detail"]

    async def test_a_closed_case_refuses_what_comes_late(self, client: Client, village: World, case: Case) -> None:
        headers = await village.bearer("operator", "wang")
        resolved = await client.post(
            f"/v1/cases/{case.id}/resolve", json={"resolution": "false_alarm", "text": "猫"}, headers=headers
        )
        shown = await resolved.json()
        assert shown["closing"]["by"] == "wang"
        assert (shown["status"], shown["closing"]["resolution"]) == ("resolved", "false_alarm")
        device = await village.bearer("device", "h-1")
        late = await client.post(f"/v1/cases/{case.id}/cancel", json={}, headers=device)
        assert late.status == 409
        assert (await late.json())["case_status"] == "resolved"

    async def test_a_resident_cancels_their_own_alarm(self, client: Client, village: World, case: Case) -> None:
        headers = await village.bearer("device", "h-1")
        shown = await (
            await client.post(f"/v1/cases/{case.id}/cancel", json={"reason": "误按"}, headers=headers)
        ).json()
        assert (shown["status"], shown["closing"]["by"], shown["closing"]["text"]) == ("cancelled", "李家", "误按")

    async def test_a_silent_press_on_an_open_case_makes_it_a_silent_one(self, client: Client, village: World) -> None:
        case = await village.open_case()
        press = Press(
            press=PressId("quiet"),
            household=HouseholdId("h-1"),
            device="d",
            source="http",
            pressed_at=now(),
            silent=True,
        )
        await village.do(case.id, RaiseAlarm, press=press, accepted_at=now())
        headers = await village.bearer("device", "h-1")
        assert (await client.post(f"/v1/cases/{case.id}/cancel", json={}, headers=headers)).status == 403
        assert (await (await client.get(f"/v1/cases/{case.id}", headers=headers)).json())["silent"] is True

    async def test_whoever_stands_over_the_resident_cannot_cancel_a_silent_alarm(
        self, client: Client, village: World
    ) -> None:
        case = await village.open_case(silent=True)
        device = await village.bearer("device", "h-1")
        refused = await client.post(f"/v1/cases/{case.id}/cancel", json={}, headers=device)
        problem = await refused.json()
        assert (refused.status, problem["field"]) == (403, "case")
        assert "110" in problem["detail"]
        assert (await village.desk.load(case.id)).is_open
        operator = await village.bearer("operator", "wang")
        assert (await client.post(f"/v1/cases/{case.id}/cancel", json={}, headers=operator)).status == 200


class Away(ReadModels):
    """Postgres is away."""

    async def _fetch(self, _query: str, *_arguments: Any) -> Sequence[Any]:
        raise Unavailable("connection refused to postgres:5432")


async def test_without_postgres_lists_say_so_and_alarms_go_on(servers: Servers) -> None:
    settings = settings_of(servers)
    async with world(settings, Away("", settings.site)) as village, village.served() as client:
        case = await village.open_case()
        operator = await village.bearer("operator", "wang")
        for path in ("/v1/cases", f"/v1/cases/{case.id}/timeline", f"/v1/cases/{case.id}/calls", "/v1/latency"):
            response = await client.get(path, headers=operator)
            problem = await response.json()
            assert (response.status, problem["needs"]) == (503, "postgres")
            assert "5432" not in problem["detail"]
        assert (await client.post("/v1/alarms", json={"household": "h-1"}, headers=operator)).status == 202
        assert (await client.get(f"/v1/cases/{case.id}", headers=operator)).status == 200
        await client.app[PARTS].board.ready()
        ready = await client.get("/readyz")
        assert (ready.status, (await ready.json())["postgres"]) == (200, "away")
