"""The channel `live`: an open page rings and says so; nobody pretends that a page was there."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from dispatch.cases import Case, RecordCalls
from dispatch.clock import now
from dispatch.events import CallOutcome, OpenPages, decode_open_pages, open_pages_subject
from dispatch.identifiers import PersonId, notification_id
from dispatch.web import rings
from dispatch.web.parts import PARTS
from tests.integration.web_world import World, page, until

Client = TestClient[Any, Any]


def ring_of(case: Case, person: str = "p-1") -> dict[str, Any]:
    return {
        "notification": notification_id(case.id, PersonId(person)),
        "case": case.id,
        "step": 0,
        "responder": person,
        "kind": "help",
        "drill": False,
        "silent": False,
        "household": {"name": "李家", "address": "1 号"},
        "reason": "member",
        "link": "http://x/r/y",
    }


async def ask(village: World, ring: dict[str, Any], seconds: float = 4.0) -> dict[str, Any]:
    subject = f"live.{village.site}.ring.{ring['responder']}"
    answer = await village.nc.request(subject, json.dumps(ring).encode(), timeout=seconds)
    return dict(json.loads(answer.data))


async def receipt(client: Client, ring: dict[str, Any], phone: dict[str, str], outcome: str = "delivered") -> int:
    path = f"/v1/rings/{ring['notification']}/receipt"
    return (await client.post(path, json={"outcome": outcome}, headers=phone)).status


async def outcome_of(village: World, case: Case, person: str = "p-1") -> str | None:
    known = (await village.desk.load(case.id)).calls[0, PersonId(person)].outcomes.get("live")
    return known.outcome if known else None


async def test_a_page_that_confirms_is_delivered_to_and_whoever_asked_records_it(
    client: Client, village: World, case: Case, phone: dict[str, str]
) -> None:
    async with page(client, phone) as screen:
        await screen.next("snapshot")
        asked = asyncio.create_task(ask(village, ring_of(case)))
        ring = await screen.next("ring")
        assert ring["household"] == {"name": "李家", "address": "1 号"}
        assert "step" not in ring
        assert await receipt(client, ring_of(case), phone) == 200
        assert await asked == {"outcome": "delivered"}
        assert await outcome_of(village, case) is None


async def test_a_page_that_says_nothing_was_sent_to_and_may_confirm_late(
    client: Client, village: World, case: Case, phone: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rings, "RECEIPT_SECONDS", 0.2)
    async with page(client, phone) as screen:
        await screen.next("snapshot")
        assert await ask(village, ring_of(case)) == {"outcome": "sent"}
        assert await receipt(client, ring_of(case), phone) == 200
        assert await outcome_of(village, case) == "delivered"
        assert await receipt(client, ring_of(case), phone, "seen") == 200
        assert await outcome_of(village, case) == "seen"


async def test_without_a_page_nobody_answers(client: Client, village: World, case: Case, phone: dict[str, str]) -> None:
    with pytest.raises(NoRespondersError):
        await ask(village, ring_of(case))
    async with page(client, phone) as one, page(client, phone) as two:
        await one.next("snapshot")
        await two.next("snapshot")
    await until(lambda: not client.app[PARTS].rings._subscriptions, "closed pages are noticed")
    with pytest.raises(NoRespondersError):
        await ask(village, ring_of(case))


async def test_every_open_page_of_the_person_rings_and_nobody_else_s(
    client: Client, village: World, case: Case, phone: dict[str, str]
) -> None:
    other = await village.bearer("responder", "p-2")
    async with page(client, phone) as one, page(client, phone) as two, page(client, other) as neighbour:
        for screen in (one, two, neighbour):
            await screen.next("snapshot")
        asked = asyncio.create_task(ask(village, ring_of(case)))
        assert (await one.next("ring"))["case"] == (await two.next("ring"))["case"] == case.id
        await receipt(client, ring_of(case), phone)
        await asked
        with pytest.raises(TimeoutError):
            await neighbour.next("ring", seconds=0.2)


async def test_one_ring_does_not_wait_for_another(
    client: Client, village: World, case: Case, phone: dict[str, str]
) -> None:
    second = await village.open_case("h-2")
    async with page(client, phone) as screen:
        await screen.next("snapshot")
        first = asyncio.create_task(ask(village, ring_of(case)))
        await screen.next("ring")
        asked = asyncio.create_task(ask(village, ring_of(second)))
        assert (await screen.next("ring", seconds=1))["case"] == second.id
        await receipt(client, ring_of(second), phone)
        assert await asyncio.wait_for(asked, 1) == {"outcome": "delivered"}
        assert not first.done()
        assert await first == {"outcome": "sent"}


async def test_a_page_that_came_late_confirms_from_what_its_snapshot_says(
    client: Client, village: World, case: Case, phone: dict[str, str]
) -> None:
    async with page(client, phone) as screen:
        snapshot = await screen.next("snapshot")
        known = snapshot["cases"] or [await screen.next("case")]
        ring = {"notification": known[0]["notification"]}
        assert await receipt(client, ring, phone) == 200
    assert await outcome_of(village, case) == "delivered"


async def test_a_page_that_comes_after_its_call_failed_makes_it_delivered_and_once(
    client: Client, village: World, case: Case, phone: dict[str, str]
) -> None:
    await village.widen(case.id, "p-1", channels=("live",))
    called = await village.desk.load(case.id)
    failed = CallOutcome(
        step=1, responder=PersonId("p-1"), channel="live", outcome="failed", reason="no open page", at=now()
    )
    await village.do(called.id, RecordCalls, outcomes=(failed,))
    async with page(client, phone) as screen:
        if not (await screen.next("snapshot"))["cases"]:
            await screen.next("case")
        for _ in range(2):
            assert await receipt(client, ring_of(case), phone) == 200
    after = await village.desk.load(case.id)
    assert after.calls[1, PersonId("p-1")].outcomes["live"].outcome == "delivered"
    assert not after.calls[0, PersonId("p-1")].outcomes, "a receipt is for the newest call"
    assert len(after.commits) == len(called.commits) + 2


async def test_nobody_confirms_for_somebody_else(
    client: Client, village: World, case: Case, phone: dict[str, str]
) -> None:
    other = await village.bearer("responder", "p-2")
    assert await receipt(client, ring_of(case, "p-1"), other) == 404
    assert await receipt(client, {"notification": "A" * 26}, phone) == 404
    assert await outcome_of(village, case) is None


async def test_rubbish_on_the_ring_s_subject_stops_nothing(
    client: Client, village: World, case: Case, phone: dict[str, str]
) -> None:
    async with page(client, phone) as screen:
        await screen.next("snapshot")
        for rubbish in (b"", b"\xff", b"[]", b'{"notification": 1}'):
            await village.nc.publish(f"live.{village.site}.ring.p-1", rubbish)
        asked = asyncio.create_task(ask(village, ring_of(case)))
        assert (await screen.next("ring"))["case"] == case.id
        await receipt(client, ring_of(case), phone)
        await asked


async def test_whose_page_opens_is_said_before_it_can_be_rung_and_again_while_it_is_open(
    client: Client, village: World, phone: dict[str, str]
) -> None:
    said: asyncio.Queue[OpenPages] = asyncio.Queue()

    async def hear(message: Msg) -> None:
        await said.put(decode_open_pages(message.data))

    await village.nc.subscribe(open_pages_subject(village.site), cb=hear)
    await village.nc.flush()

    async def next_where(more: bool, people: set[str]) -> OpenPages:
        async with asyncio.timeout(10):
            while (heard := await said.get()).more != more or heard.people != people:
                pass
        return heard

    here = (await next_where(more=False, people=set())).at
    async with page(client, phone) as screen:
        await screen.next("snapshot")
        assert (await next_where(more=True, people={"p-1"})).at == here
        assert (await next_where(more=False, people={"p-1"})).at == here
    await next_where(more=False, people=set())
