"""One-tap links."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from dispatch.access import Links
from dispatch.cases import AddNote, Case, Resolve
from dispatch.clock import now
from dispatch.identifiers import CaseId, PersonId
from tests.integration.web_world import World

Client = TestClient[Any, Any]


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
