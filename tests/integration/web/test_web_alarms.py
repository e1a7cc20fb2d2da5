"""Raising an alarm over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from dispatch.clock import now
from dispatch.events import decode_press, direct_get
from tests.integration.web_world import World

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

    @pytest.mark.parametrize(
        ("said", "taken", "because"),
        [
            ("fire", "fire", None),
            (None, "help", None),
            ("", "help", None),
            ("dragon", "help", "unknown kind 'dragon', taken as help; there are help, intrusion, medical, fire"),
            ("\ud800" * 99, "help", "taken as help"),
            ([{}], "help", "unknown kind [{}], taken as help"),
        ],
    )
    async def test_the_answer_says_as_which_kind_it_was_taken_and_why(
        self, said: object, taken: str, because: str | None, client: Client, village: World
    ) -> None:
        headers = await village.bearer("device", "h-1")
        accepted = await (await client.post("/v1/alarms", json={"kind": said}, headers=headers)).json()
        assert accepted["kind"] == taken
        if because is None:
            assert accepted["kind_because"] is None
        else:
            assert because in accepted["kind_because"]
            assert len(accepted["kind_because"]) < 300
        [press] = await presses(village)
        assert press.kind == taken

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
