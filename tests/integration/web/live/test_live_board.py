"""The live board: a snapshot, then what changes, and nothing lost in between."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from dispatch.cases import AddNote, Cancel, Case, GiveAnswer, LeaveOut, RecordCalls, Resolve
from dispatch.clock import now
from dispatch.events import CallOutcome, DeadLetter, Incident, IncidentBook
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.web import live, stream
from tests.integration.web.live_world import Client, board_of, ids
from tests.integration.web_world import World, page, until


async def test_a_snapshot_comes_first_and_then_what_changes(
    client: Client, village: World, operator: dict[str, str]
) -> None:
    case = await village.open_case()
    await until(lambda: board_of(client).position >= case.seq, "the board has the case")
    async with page(client, operator) as desk:
        snapshot = await desk.next()
        assert snapshot.name == "snapshot"
        assert snapshot.position == snapshot["position"] >= case.seq
        assert ids(snapshot["cases"]) == {case.id}
        assert snapshot["dlq"] == {"count": 0, "latest": None, "position": 0}
        await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page", eta_minutes=3)
        changed = await desk.next("case")
        assert (changed["id"], changed["status"], changed["coming"]) == (case.id, "under_way", 1)
        assert changed.position == changed["seq"]
        second = await village.open_case("h-2")
        assert (await desk.next("case"))["id"] == second.id


async def test_beats_tell_that_the_line_is_alive(
    client: Client, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.1)
    async with page(client, operator) as desk:
        await desk.next("snapshot")
        for _ in range(3):
            assert (await desk.next("beat"))["at"].endswith("Z")


async def test_a_reconnect_is_sent_only_what_it_missed(
    client: Client, village: World, operator: dict[str, str]
) -> None:
    old, changing = await village.open_case(), await village.open_case("h-2")
    await until(lambda: board_of(client).position >= changing.seq, "the board has both")
    async with page(client, operator) as desk:
        last = (await desk.next("snapshot")).position
    changed = await village.do(changing.id, AddNote, author="operator:wang", text="新")
    await until(lambda: board_of(client).position >= changed.seq, "the board has the note")
    for how in ({"last": last}, {"query": f"?after={last}"}):
        async with page(client, operator, **how) as desk:
            missed = await desk.next("case", "snapshot")
            assert (missed.name, missed["id"], missed["seq"]) == ("case", changing.id, changed.seq)
            assert {(await desk.next()).name, (await desk.next()).name} == {"dlq", "incidents"}
    assert old.id != changing.id


@pytest.mark.parametrize("last", [10**15, None], ids=["a future", "before what is forgotten"])
async def test_a_position_that_is_not_known_gets_a_new_snapshot(
    last: int | None, client: Client, village: World, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await village.open_case()
    closed = await village.do(case.id, Resolve, by="operator:wang", resolution="helped")
    await until(lambda: board_of(client).position >= closed.seq, "the board has the closing")
    monkeypatch.setattr(live, "CLOSED_FOR", timedelta())
    board_of(client)._prune()
    async with page(client, operator, last=case.seq if last is None else last) as desk:
        first = await desk.next()
        assert (first.name, first["cases"]) == ("snapshot", [])


async def test_a_closed_case_stays_for_a_while_and_is_then_forgotten(client: Client, village: World) -> None:
    case = await village.open_case()
    closed = await village.do(case.id, Cancel, by="device:h-1")
    board = board_of(client)
    await until(lambda: board.position >= closed.seq, "the board has the closing")
    board._prune()
    assert case.id in board.cases
    board._clock = lambda: now() + live.CLOSED_FOR
    board._prune()
    assert case.id not in board.cases
    noted = await village.do(case.id, AddNote, author="operator:wang", text="报告")
    await until(lambda: case.id in board.cases, "a case that is not remembered is loaded when it changes")
    assert board.cases[case.id].seq == noted.seq
    assert board.cases[case.id].alarm.household == "h-1"


async def test_of_a_case_that_is_forgotten_nobody_at_home_hears_again(
    client: Client, village: World, device: dict[str, str]
) -> None:
    """One that went on under duress is remembered, and of that they hear nothing more either."""
    case = await village.open_case()
    closed = await village.do(case.id, Cancel, by="device:h-1")
    board = board_of(client)
    await until(lambda: board.position >= closed.seq, "the board has the closing")
    async with page(client, device) as at_home:
        await at_home.next("snapshot")
        board._clock = lambda: now() + live.CLOSED_FOR
        board._prune()
        await village.do(case.id, AddNote, author="operator:wang", text="报告")
        await until(lambda: case.id in board.cases, "a case that is not remembered is loaded when it changes")
        other = await village.open_case()
        assert (await at_home.next("case"))["id"] == other.id


async def test_everybody_hears_of_their_own_cases_alone(client: Client, village: World) -> None:
    who = {
        "here": await village.bearer("operator", "here", "v-1"),
        "elsewhere": await village.bearer("operator", "elsewhere", "v-2"),
        "called": await village.bearer("responder", "p-1"),
        "not called": await village.bearer("responder", "p-3"),
        "resident": await village.bearer("device", "h-1"),
        "neighbour": await village.bearer("device", "h-2"),
    }
    before = await village.open_case()
    await until(lambda: board_of(client).position >= before.seq, "the board has the case")
    heard: dict[str, tuple[set[str], set[str]]] = {}

    async def listen(name: str, headers: dict[str, str], ready: asyncio.Semaphore, done: asyncio.Event) -> None:
        async with page(client, headers) as screen:
            snapshot = await screen.next("snapshot")
            assert ("dlq" in snapshot) == (name in {"here", "elsewhere"})
            ready.release()
            await done.wait()
            later = set()
            try:
                while True:
                    later.add((await screen.next("case", seconds=0.3))["id"])
            except TimeoutError:
                heard[name] = (ids(snapshot["cases"]), later)

    ready, done = asyncio.Semaphore(0), asyncio.Event()
    screens = [asyncio.create_task(listen(name, headers, ready, done)) for name, headers in who.items()]
    for _ in screens:
        await ready.acquire()
    changed = await village.do(before.id, GiveAnswer, responder=PersonId("p-2"), answer="going", via="page")
    await until(lambda: board_of(client).position >= changed.seq, "the board has the answer")
    done.set()
    await asyncio.gather(*screens)
    mine = ({before.id}, {before.id})
    none: tuple[set[str], set[str]] = (set(), set())
    assert heard == {
        "here": mine, "elsewhere": none, "called": mine, "not called": none, "resident": mine, "neighbour": none,
    }  # fmt: skip


async def test_nobody_is_told_live_of_what_they_are_not_shown(client: Client, village: World) -> None:
    """On a case where nothing else happens an event that changes nothing tells that something happened."""
    case = await village.open_case()
    device, responder = await village.bearer("device", "h-1"), await village.bearer("responder", "p-1")
    one = CallOutcome(step=0, responder=PersonId("p-2"), channel="webpush", outcome="delivered", at=now())
    await until(lambda: board_of(client).position >= case.seq, "the board has the case")
    async with page(client, device) as at_home, page(client, responder) as called:
        for screen in (at_home, called):
            await screen.next("snapshot")
        await village.do(case.id, AddNote, author="operator:wang", text="x")
        assert (await called.next("case"))["version"] == 2
        await village.do(case.id, LeaveOut, people=(PersonId("p-2"),), by="operator:wang")
        for screen, version in ((at_home, 2), (called, 3)):
            assert (await screen.next("case"))["version"] == version, "a note is not for the household"
        hidden = await village.do(case.id, RecordCalls, outcomes=(one,))
        await until(lambda: board_of(client).position >= hidden.seq, "the board has what came of that call")
        await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page")
        for screen in (at_home, called):
            assert (await screen.next("case"))["status"] == "under_way"


async def test_somebody_called_later_sees_the_case_from_then_on(client: Client, village: World) -> None:
    case = await village.open_case()
    async with page(client, await village.bearer("responder", "p-3")) as screen:
        assert (await screen.next("snapshot"))["cases"] == []
        await village.widen(case.id, "p-3")
        assert (await screen.next("case"))["you"] == "p-3"


async def test_dead_letters_and_incidents_reach_operators(
    client: Client, village: World, operator: dict[str, str]
) -> None:
    async with page(client, operator) as desk:
        await desk.next("snapshot")
        letter = DeadLetter(
            by="fanout",
            reason="not a press",
            stream="INTAKE",
            subject="intake.press.x.y",
            seq=9,
            at=now(),
            headers={},
            body=b"",
        )
        await village.nc.jetstream().publish(f"dlq.{village.site}.fanout", msgspec.json.encode(letter))
        dlq = await desk.next("dlq")
        assert (dlq["count"], dlq["latest"]["reason"]) == (1, "not a press")
        incidents = await village.nc.jetstream().key_value("INCIDENTS")
        value = b'{"kind": "worker", "what": "fanout", "since": "2026-11-21T08:00:00Z", "detail": "gone"}'
        await incidents.put(f"{village.site}.worker.fanout", value)
        told = (await desk.next("incidents"))["list"]
        assert told == [{"kind": "worker", "what": "fanout", "since": "2026-11-21T08:00:00Z", "detail": "gone"}]
        await incidents.delete(f"{village.site}.worker.fanout")
        assert (await desk.next("incidents"))["list"] == []
    async with page(client, operator) as desk:
        assert (await desk.next("snapshot"))["dlq"]["count"] == 1


async def test_an_incident_names_no_case_of_another_area(client: Client, village: World) -> None:
    case = await village.open_case()
    await IncidentBook(village.nc, village.site).tell(
        Incident(kind="owed", what=case.id, since=now(), detail="1 人的呼叫没有结果")
    )
    await until(lambda: bool(board_of(client).trouble.incidents), "the incident to be told")
    for area, what in ((None, case.id), ("v-1", case.id), ("v-2", "")):
        async with page(client, await village.bearer("operator", "li", area)) as desk:
            snapshot = await desk.next("snapshot")
            assert [incident["what"] for incident in snapshot["incidents"]] == [what]


@pytest.mark.parametrize("kind", ["button", "rubbish"])
async def test_an_incident_names_a_household_to_the_operators_of_its_area_alone(
    client: Client, village: World, kind: str
) -> None:
    """It needs no case: what cannot be read opens none."""
    home = HouseholdId("h-1")
    said = f"{home} 户一个按键不停发送 / a button of household {home} sent without end; its token t-1 is held"
    await IncidentBook(village.nc, village.site).tell(Incident(kind=kind, what=home, since=now(), detail=said))
    await until(lambda: bool(board_of(client).trouble.incidents), "the incident to be told")
    for area, what in ((None, home), ("v-1", home), ("v-2", "")):
        async with page(client, await village.bearer("operator", "li", area)) as desk:
            [incident] = (await desk.next("snapshot"))["incidents"]
            assert incident["what"] == what
            assert ("t-1" in incident["detail"]) == bool(what)


@pytest.mark.parametrize("seed", range(4))
async def test_a_stale_snapshot_and_its_changes_equal_a_fresh_snapshot(
    seed: int, client: Client, village: World, operator: dict[str, str]
) -> None:
    """Whenever a page came, and however often its line broke, it ends with what a new page is shown."""
    chance = random.Random(seed)
    cases: list[Case] = [await village.open_case(f"h-{seed}-{n}") for n in range(2)]
    shown: dict[str, Any] = {}
    last: int | None = None
    final = 0
    for _ in range(4):
        final = await _random_story(chance, village, cases)
        await until(lambda seq=final: board_of(client).position >= seq, "the board is there")  # type: ignore[misc]
        async with page(client, operator, last=last) as desk:
            more = asyncio.create_task(_random_story(chance, village, cases))
            for _ in range(chance.randrange(1, 6)):
                try:
                    event = await desk.next("snapshot", "case", seconds=0.4)
                except TimeoutError:
                    break
                last = _apply(shown, event)
            final = await more
    await until(lambda: board_of(client).position >= final, "the board is there")
    async with page(client, operator, last=last) as stale:
        while last is None or last < final:
            last = _apply(shown, await stale.next("snapshot", "case"))
    async with page(client, operator) as fresh:
        assert shown == {one["id"]: one for one in (await fresh.next("snapshot"))["cases"]}


def _apply(shown: dict[str, Any], event: Any) -> int:
    """What the pages' own code does with an event."""
    if event.name == "snapshot":
        shown.clear()
        shown.update({one["id"]: one for one in event["cases"]})
    elif event["seq"] > shown.get(event["id"], {"seq": 0})["seq"]:
        shown[event["id"]] = dict(event)
    return int(event.position)


async def _random_story(chance: random.Random, village: World, cases: list[Case]) -> int:
    for _ in range(chance.randrange(3, 9)):
        if chance.random() < 0.2:
            cases.append(await village.open_case(f"h-{chance.randrange(10**9)}"))
            continue
        case = await village.desk.load(chance.choice(cases).id)
        person = PersonId(chance.choice(["p-1", "p-2"]))
        match chance.randrange(4) if case.is_open else 3:
            case 0:
                answer = chance.choice(["going", "cannot", "on_scene"])
                await village.do(case.id, GiveAnswer, responder=person, answer=answer, via="page")
            case 1:
                outcome = CallOutcome(
                    step=0, responder=person, channel="live", outcome=chance.choice(["sent", "seen"]), at=now()
                )
                await village.do(case.id, RecordCalls, outcomes=(outcome,))
            case 2 if chance.random() < 0.3:
                await village.do(case.id, Resolve, by="operator:wang", resolution="helped")
            case _:
                await village.do(case.id, AddNote, author="responder:p-1", text=str(chance.random()))
    return max([(await village.desk.load(one.id)).seq for one in cases])
