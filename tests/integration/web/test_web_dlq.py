"""The DLQ desk over HTTP: for operators of the whole site, and nobody else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from dispatch.clock import now
from dispatch.events import DeadLetter
from tests.integration.web_world import World, page

Client = TestClient[Any, Any]


async def put(village: World, *, by: str = "fanout", stored_at: datetime | None = None, body: bytes = b"oops") -> int:
    """A letter about a press; its number."""
    letter = DeadLetter(
        by=by,
        reason="not a press",
        stream="INTAKE",
        subject=f"intake.press.{village.site}.h-1",
        seq=1,
        at=now(),
        headers={},
        body=body,
        stored_at=stored_at,
    )
    ack = await village.nc.jetstream().publish(f"dlq.{village.site}.{by}", msgspec.json.encode(letter))
    return ack.seq


async def ask(
    client: Client, headers: dict[str, str], path: str, body: dict[str, Any] | None = None
) -> tuple[int, Any]:
    async with client.post(f"/v1/dlq/{path}", json=body or {}, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_letter_is_dismissed_and_taken_up_again_and_every_desk_is_told(
    client: Client, village: World, operator: dict[str, str]
) -> None:
    seq = await put(village)
    async with page(client, operator) as desk:
        first = await desk.next("snapshot", "dlq")
        while (first.get("dlq") or first)["count"] != 1:
            first = await desk.next("dlq")
        status, letter = await ask(client, operator, f"{seq}/dismiss", {"reason": "测试"})
        assert (status, letter["state"], letter["mark"]["by"]) == (200, "dismissed", "operator:wang")
        while (await desk.next("dlq"))["count"] != 0:
            pass
        async with client.get("/v1/dlq", headers=operator) as answer:
            assert (await answer.json())["letters"] == []
        async with client.get("/v1/dlq?state=all", headers=operator) as answer:
            assert [one["state"] for one in (await answer.json())["letters"]] == ["dismissed"]
        assert (await ask(client, operator, f"{seq}/retry"))[0] == 409
        assert (await ask(client, operator, f"{seq}/reopen"))[0] == 200
        while (await desk.next("dlq"))["count"] != 1:
            pass
    status, letter = await ask(client, operator, f"{seq}/retry")
    assert (status, letter["state"]) == (200, "open")
    assert "cannot be read" in letter["reason"], "it stays, with the new reason"


async def test_an_old_press_must_be_said_to_be_known_as_old(
    client: Client, village: World, operator: dict[str, str]
) -> None:
    seq = await put(village, stored_at=now() - timedelta(hours=3), body=b'{"press_id":"b1"}')
    status, problem = await ask(client, operator, f"{seq}/retry")
    assert (status, problem["field"], problem["minutes"]) == (409, "old_press", 180)
    async with client.get("/v1/dlq", headers=operator) as answer:
        (letter,) = (await answer.json())["letters"]
    assert (letter["old_press"], letter["can_retry"], letter["household"]) == (True, True, "h-1")
    status, letter = await ask(client, operator, f"{seq}/retry", {"old_press": True})
    assert (status, letter["state"]) == (200, "retried")


@pytest.mark.parametrize("deed", ["retry", "dismiss", "reopen"])
async def test_it_is_for_operators_of_the_whole_site(client: Client, village: World, deed: str) -> None:
    seq = await put(village)
    body = {"reason": "x"} if deed == "dismiss" else {}
    for role, subject, area in (("operator", "wang", "v-1"), ("responder", "p-1", None), ("device", "h-1", None)):
        status, _ = await ask(client, await village.bearer(role, subject, area), f"{seq}/{deed}", body)
        assert status == 403
    async with client.get("/v1/dlq", headers=await village.bearer("operator", "wang", "v-1")) as answer:
        (letter,) = (await answer.json())["letters"]
    assert (letter["household"], letter["subject"], letter["reason"], letter["state"]) == (None, "", "", "open")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("99999999999/retry", {}, 404),
        ("x/retry", {}, 400),
        ("0/reopen", {}, 400),
        (f"{2**53}/retry", {}, 400),
        pytest.param("0" * 19 + "1" + "9" * 10 + "/retry", {}, 400, id="30 digits"),
        pytest.param("0" * 19 + "1" + "9" * 4400 + "/retry", {}, 400, id="more digits than Python reads"),
        ("1/dismiss", {}, 400),
        ("1/dismiss", {"reason": "x" * 501}, 400),
        ("1/retry", {"old_press": "yes"}, 400),
    ],
)
async def test_what_cannot_be_is_refused(
    client: Client, operator: dict[str, str], path: str, body: dict[str, Any], status: int
) -> None:
    assert (await ask(client, operator, path, body))[0] == status
