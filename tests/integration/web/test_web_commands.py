"""What is done to cases over HTTP, by those who are signed in and by one-tap links."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from dispatch.access import Links
from dispatch.cases import AddNote, Case, RaiseAlarm, Resolve
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import Press, decode_press, direct_get
from dispatch.identifiers import CaseId, HouseholdId, PersonId, PressId
from dispatch.projections import ReadModels
from dispatch.web.api import cases
from dispatch.web.parts import PARTS
from tests.integration.web_world import World, settings_of, world
from tests.servers import Servers

Client = TestClient[Any, Any]


async def presses(village: World) -> list[Any]:
    found = await direct_get(
        village.nc, "INTAKE", {"seq": 1, "next_by_subj": f"intake.press.{village.site}.*", "batch": 100}
    )
    return [decode_press(str(m.headers["Nats-Subject"]), m.headers, m.data, now()) for m in found if m.headers]


class TestAlarms:
    async def test_a_press_is_in_the_log_of_presses_when_it_is_accepted(self, client: Client, village: World) -> None:
        headers = await village.bearer("device", "h-1")
        response = await client.post("/v1/alarms", json={"kind": "fire", "drill": True}, headers=headers)
        accepted = await response.json()
        assert response.status == 202
        [press] = await presses(village)
        assert (press.press, press.household, press.kind, press.drill) == (accepted["press"], "h-1", "fire", True)
        assert accepted["duplicate"] is False

    async def test_the_same_key_is_one_press_and_two_callers_keys_never_meet(
        self, client: Client, village: World
    ) -> None:
        one = {**await village.bearer("device", "h-1"), "Idempotency-Key": "k"}
        other = {**await village.bearer("operator", "wang"), "Idempotency-Key": "k"}
        first = await (await client.post("/v1/alarms", json={}, headers=one)).json()
        again = await (await client.post("/v1/alarms", json={}, headers=one)).json()
        theirs = await (await client.post("/v1/alarms", json={"household": "h-1"}, headers=other)).json()
        assert (again["press"], again["duplicate"]) == (first["press"], True)
        assert theirs["press"] != first["press"]
        assert len(await presses(village)) == 2

    async def test_the_key_of_another_device_or_emergency_swallows_no_alarm(
        self, client: Client, village: World
    ) -> None:
        second = {"Authorization": f"Bearer {(await village.tokens.issue('device', 'h-1')).secret}"}
        for headers, body in (
            (await village.bearer("device", "h-1"), {"kind": "help"}),
            (second, {"kind": "help"}),
            (second, {"kind": "fire"}),
            (second, {"kind": "fire", "silent": True}),
        ):
            asked = client.post("/v1/alarms", json=body, headers={**headers, "Idempotency-Key": "press-1"})
            assert (await (await asked).json())["duplicate"] is False
        assert len(await presses(village)) == 4

    async def test_a_press_whose_message_is_gone_is_stored_anew(self, client: Client, village: World) -> None:
        headers = {**await village.bearer("device", "h-1"), "Idempotency-Key": "k"}
        for _ in range(2):
            assert (await client.post("/v1/alarms", json={}, headers=headers)).status == 202
            assert len(await presses(village)) == 1
            await village.nc.jetstream().purge_stream("INTAKE", subject=f"intake.press.{village.site}.h-1")

    async def test_the_key_of_a_drill_swallows_no_alarm(self, client: Client, village: World) -> None:
        headers = {**await village.bearer("device", "h-1"), "Idempotency-Key": "k"}
        for drill in (True, False):
            accepted = await (await client.post("/v1/alarms", json={"drill": drill}, headers=headers)).json()
            assert accepted["duplicate"] is False
        assert [press.drill for press in await presses(village)] == [True, False]

    @pytest.mark.parametrize(
        "body",
        [
            {"kind": "dragon"},
            {"kind": "x" * 41},
            {"kind": None, "drill": 0, "silent": 0},
            {"kind": "\ud800"},
            {"pressed_at": ""},
            {"pressed_at": 7, "household": ""},
            {"pressed_at": "0001-01-01T00:00:00+23:59"},
            {"pressed_at": "9999-12-31T23:59:59-23:59"},
            {"pressed_at": "2026-11-21T08:00:00"},
        ],
    )
    async def test_no_alarm_is_refused_for_its_label_or_its_clock(
        self, body: dict[str, Any], client: Client, village: World
    ) -> None:
        headers = await village.bearer("device", "h-1")
        assert (await client.post("/v1/alarms", json=body, headers=headers)).status == 202
        [press] = await presses(village)
        assert press.kind == "help"

    async def test_presses_without_end_are_slowed_down(self, client: Client, village: World) -> None:
        headers = await village.bearer("device", "h-1")
        statuses, last = [], None
        for _ in range(15):
            last = await client.post("/v1/alarms", json={}, headers=headers)
            statuses.append(last.status)
        assert statuses[0] == 202
        assert statuses[-1] == 429
        assert last is not None
        assert int(last.headers["Retry-After"]) >= 1

    async def test_presses_without_end_do_not_use_up_the_one_after_a_cancelled_case(
        self, client: Client, village: World
    ) -> None:
        headers = await village.bearer("device", "h-1")
        case = await village.open_case()
        async with asyncio.timeout(30):
            while (await client.post("/v1/alarms", json={}, headers=headers)).status == 202:
                pass
        cancelled = await client.post(f"/v1/cases/{case.id}/cancel", json={}, headers=headers)
        assert cancelled.status == 200
        assert (await client.post("/v1/alarms", json={}, headers=headers)).status == 202


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


class TestLinks:
    @pytest.fixture
    def link(self, village: World, case: Case) -> str:
        return "/r/" + village.links.make(case.id, PersonId("p-1")).rpartition("/r/")[2]

    async def test_opening_it_changes_nothing(self, link: str, client: Client, village: World, case: Case) -> None:
        for path in (link, f"{link}/case", f"{link}?answer=going"):
            assert (await client.get(path)).status == 200
        assert (await client.head(link)).status in {200, 405}
        assert (await village.desk.load(case.id)).seq == case.seq

    async def test_it_answers_without_a_sign_in(self, link: str, client: Client, village: World, case: Case) -> None:
        shown = await (await client.post(link, json={"answer": "on_scene"})).json()
        assert (shown["status"], shown["you"]) == ("on_scene", "p-1")
        assert (await village.desk.load(case.id)).replies[PersonId("p-1")].answer == "on_scene"

    async def test_it_shows_what_its_responder_may_see(self, link: str, client: Client) -> None:
        shown = await (await client.get(f"{link}/case")).json()
        phones = {one["id"]: "phone" in one for one in shown["responders"]}
        assert phones == {"p-1": True, "p-2": False}

    async def test_a_receipt_is_recorded_on_its_channel_once(
        self, link: str, client: Client, village: World, case: Case
    ) -> None:
        for _ in range(2):
            response = await client.post(f"{link}/receipt", json={"channel": "webpush", "outcome": "delivered"})
            assert response.status == 200
        after = await village.desk.load(case.id)
        assert after.calls[0, PersonId("p-1")].outcomes["webpush"].outcome == "delivered"
        assert len(after.commits) == len(case.commits) + 1

    async def test_a_receipt_is_for_the_newest_call(
        self, link: str, client: Client, village: World, case: Case
    ) -> None:
        await village.widen(case.id, "p-1")
        await client.post(f"{link}/receipt", json={"channel": "webpush", "outcome": "seen"})
        after = await village.desk.load(case.id)
        assert after.calls[1, PersonId("p-1")].outcomes["webpush"].outcome == "seen"
        assert not after.calls[0, PersonId("p-1")].outcomes

    async def test_a_receipt_over_a_channel_that_was_never_tried_is_refused(
        self, link: str, client: Client, village: World, case: Case
    ) -> None:
        refused = await client.post(f"{link}/receipt", json={"channel": "webhook", "outcome": "seen"})
        problem = await refused.json()
        assert (refused.status, problem["field"], problem["value"]) == (422, "channel", "webhook")
        assert "live, webpush" in problem["detail"]
        assert (await village.desk.load(case.id)).seq == case.seq

    async def test_a_receipt_is_for_the_newest_call_over_its_channel(
        self, link: str, client: Client, village: World, case: Case
    ) -> None:
        await village.widen(case.id, "p-1", channels=("live",))
        response = await client.post(f"{link}/receipt", json={"channel": "webpush", "outcome": "delivered"})
        assert response.status == 200
        after = await village.desk.load(case.id)
        assert after.calls[0, PersonId("p-1")].outcomes["webpush"].outcome == "delivered"
        assert not after.calls[1, PersonId("p-1")].outcomes

    async def test_a_forged_one_opens_nothing(self, link: str, client: Client, village: World, case: Case) -> None:
        stranger = Links(b"x" * 32, "").make(case.id, PersonId("p-1"))
        changed = link[:-1] + ("A" if link[-1] != "A" else "B")
        for forged in (stranger, changed, "/r/x", "/r/" + "a" * 3000, "/r/%00"):
            assert (await client.get(f"{forged}/case")).status == 401
            assert (await client.post(forged, json={"answer": "going"})).status == 401
        assert (await village.desk.load(case.id)).seq == case.seq

    async def test_an_old_one_opens_nothing(self, link: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        import itsdangerous.timed

        monkeypatch.setattr(
            itsdangerous.timed.TimestampSigner, "get_timestamp", lambda _self: int(now().timestamp()) + 49 * 3600
        )
        assert (await client.post(link, json={"answer": "going"})).status == 401

    async def test_one_for_somebody_who_was_not_called_opens_nothing(
        self, client: Client, village: World, case: Case
    ) -> None:
        link = "/r/" + village.links.make(case.id, PersonId("p-3")).rpartition("/r/")[2]
        assert (await client.get(f"{link}/case")).status == 404
        absent = "/r/" + village.links.make(CaseId("h-9-ABCDEFGH"), PersonId("p-1")).rpartition("/r/")[2]
        assert (await client.post(absent, json={"answer": "going"})).status == 404

    async def test_on_a_closed_case_it_says_so_and_no_longer_where_that_was(
        self, link: str, client: Client, village: World, case: Case
    ) -> None:
        answered: Any = {"json": {"answer": "going"}, "headers": {"Idempotency-Key": "tap"}}
        for response in (await client.get(f"{link}/case"), await client.post(link, **answered)):
            shown = await response.json()
            assert (shown["closing"], shown["household"]["address"]) == (None, "1 号")
        await village.do(case.id, AddNote, author="operator:wang", text="他住 1 号")
        await village.do(case.id, Resolve, by="operator:wang", resolution="helped", text="人在 1 号")
        for response in (await client.get(f"{link}/case"), await client.post(link, **answered)):
            shown, text = await response.json(), await response.text()
            assert (response.status, shown["status"], shown["closing"]["resolution"]) == (200, "resolved", "helped")
            assert "1 号" not in text
            assert "+86" not in text
            assert "老人" not in text
        late = await client.post(link, json={"answer": "cannot"})
        assert late.status == 409
        assert "1 号" not in await late.text()


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
