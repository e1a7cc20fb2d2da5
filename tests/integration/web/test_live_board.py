"""The live board: a snapshot, then what changes, and nothing lost in between."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from dispatch.cases import AddNote, Cancel, Case, GiveAnswer, RecordCalls, Resolve
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import CallOutcome, Commit, DeadLetter, Incident, IncidentBook
from dispatch.identifiers import CaseId, PersonId
from dispatch.web import live, stream
from dispatch.web.api import operations
from dispatch.web.live import LiveBoard
from dispatch.web.parts import PARTS
from dispatch.web.position import position_at
from tests.integration.web_world import SECONDS, World, page, settings_of, until, world
from tests.servers import Servers

Client = TestClient[Any, Any]


class Models:
    """Read models that are away, or know which cases are open."""

    def __init__(self) -> None:
        self.known: tuple[Sequence[CaseId], int] | None = None
        self.asked = 0

    async def open_cases(self) -> tuple[Sequence[CaseId], int]:
        self.asked += 1
        if self.known is None:
            raise Unavailable("Postgres is away")
        return self.known

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the live board must not need {name} of Postgres")


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
async def village(servers: Servers, models: Models) -> AsyncIterator[World]:
    async with world(settings_of(servers), models) as made:
        yield made


def board_of(client: Client) -> LiveBoard:
    board: LiveBoard = client.app[PARTS].board
    return board


def ids(cases: Sequence[Any]) -> set[str]:
    return {one["id"] for one in cases}


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
    changed = await village.do(before.id, AddNote, author="operator:here", text="x")
    await until(lambda: board_of(client).position >= changed.seq, "the board has the note")
    done.set()
    await asyncio.gather(*screens)
    mine = ({before.id}, {before.id})
    none: tuple[set[str], set[str]] = (set(), set())
    assert heard == {
        "here": mine, "elsewhere": none, "called": mine, "not called": none, "resident": mine, "neighbour": none,
    }  # fmt: skip


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


async def test_a_page_that_reads_slowly_is_told_only_the_newest(
    client: Client, village: World, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await village.open_case()
    board = board_of(client)
    await until(lambda: board.position >= case.seq, "the board has the case")
    gate = asyncio.Event()
    write = stream.Stream._write

    async def slow(self: stream.Stream, data: bytes) -> None:
        await write(self, data)
        if b"event: case" in data:
            await gate.wait()

    monkeypatch.setattr(stream.Stream, "_write", slow)
    async with page(client, operator) as desk:
        await desk.next("snapshot")
        for n in range(40):
            last = await village.do(case.id, AddNote, author="operator:wang", text=str(n))
        await until(lambda: board.position >= last.seq, "the board has every note")
        [listener] = board.pages_of("operator", "wang")
        assert listener.changed <= {case.id}
        gate.set()
        shown = await desk.case(lambda one: one["seq"] == last.seq)
        assert len(shown["notes"]) == 40
        assert sum(event.name == "case" for event in desk.seen) < 10


async def test_a_page_whose_socket_is_stuck_is_dropped(
    client: Client, village: World, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STUCK_SECONDS", 0.3)
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")  # so that it is not the kernel that ends it
    case = await village.open_case()
    board = board_of(client)
    reader, writer = await asyncio.open_connection(client.host, client.port, limit=1024)
    head = "".join(f"{name}: {value}\r\n" for name, value in operator.items())
    writer.write(f"GET /v1/live HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
    await reader.readuntil(b"event: snapshot")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        while board.pages_of("operator", "wang"):
            await village.do(case.id, AddNote, author="operator:wang", text="长" * 2000)
    writer.close()


async def test_one_identity_has_so_many_pages_and_no_more(
    client: Client, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAGES_PER_IDENTITY", 2)
    async with page(client, operator) as one, page(client, operator):
        refused = await client.get("/v1/live", headers=operator)
        assert refused.status == 429
        await one.next("snapshot")
    await until(lambda: not board_of(client).pages_of("operator", "wang"), "closed pages are noticed")
    async with page(client, operator):
        pass


async def test_a_revoked_token_ends_its_pages(client: Client, village: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHECK_SECONDS", 0.1)
    issued = await village.tokens.issue("operator", "chen")
    async with page(client, {"Authorization": f"Bearer {issued.secret}"}) as desk:
        await desk.next("snapshot")
        await village.tokens.revoke(issued.token_id)
        assert await desk.is_over()


async def test_a_shutdown_ends_every_page_at_once(village: World, operator: dict[str, str]) -> None:
    async with village.served() as client, page(client, operator) as desk:
        await desk.next("snapshot")
        began = asyncio.get_running_loop().time()
        await client.server.close()
        assert await desk.is_over()
        assert asyncio.get_running_loop().time() - began < 3


class TestBeginning:
    """What a board knows that has just been started."""

    async def test_after_a_restart_it_knows_what_it_cannot_know(
        self, village: World, models: Models, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A page that was away for long, while the process that knew what happened was stopped."""
        case, other = await village.open_case(), await village.open_case("h-2")
        closed = await village.do(case.id, Resolve, by="operator:wang", resolution="helped")
        models.known = ([other.id], closed.seq)

        async def half_an_hour_later(nc: Any, site: Any, at: Any) -> int:
            return await position_at(nc, site, at + timedelta(hours=1))

        monkeypatch.setattr("dispatch.web.live.position_at", half_an_hour_later)
        async with village.served() as client:
            await board_of(client).ready()
            assert case.id not in board_of(client).cases
            async with page(client, operator, last=other.seq) as desk:
                snapshot = await desk.next("snapshot")
                assert [shown["id"] for shown in snapshot["cases"]] == [other.id]

    async def test_without_postgres_it_reads_the_log(self, village: World, models: Models) -> None:
        case = await village.open_case()
        await village.do(case.id, GiveAnswer, responder=PersonId("p-1"), answer="going", via="page")
        async with village.served() as client:
            board = board_of(client)
            await board.ready()
            assert models.asked >= 1
            assert board.cases[case.id].status == "under_way"

    async def test_a_postgres_that_hangs_is_not_waited_for(
        self, village: World, models: Models, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "POSTGRES_SECONDS", 0.1)
        case = await village.open_case()
        models.open_cases = asyncio.Event().wait  # type: ignore[method-assign,assignment]
        async with village.served() as client:
            await board_of(client).ready()
            assert case.id in board_of(client).cases

    async def test_with_postgres_it_takes_up_what_is_older_than_the_log_it_reads(
        self, village: World, models: Models
    ) -> None:
        old = await village.open_case()
        newer = await village.open_case("h-2")
        models.known = ([old.id], newer.seq)
        later = lambda: now() + timedelta(hours=1)  # noqa: E731
        board = LiveBoard(village.nc, village.log, models.open_cases, clock=later)
        async with board:
            await board.ready()
            assert board.cases[old.id].seq == old.seq
            assert newer.id not in board.cases
            assert board.position == newer.seq
            changed = await village.do(newer.id, AddNote, author="operator:wang", text="x")
            await until(lambda: newer.id in board.cases, "a case unknown at the start is loaded when it changes")
            assert board.cases[newer.id].seq == changed.seq

    async def test_a_postgres_that_comes_back_is_asked_again(
        self, village: World, models: Models, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "POSTGRES_AGAIN_SECONDS", 0.05)
        old = await village.open_case()
        in_a_week = lambda: now() + timedelta(days=7)  # noqa: E731
        board = LiveBoard(village.nc, village.log, models.open_cases, clock=in_a_week)
        async with board:
            await board.ready()
            assert old.id not in board.cases
            models.known = ([old.id], old.seq)
            await until(lambda: old.id in board.cases, "the old case is taken up")

    async def test_an_empty_site_has_an_empty_board(self, village: World, operator: dict[str, str]) -> None:
        async with village.served() as client, page(client, operator) as desk:
            assert (await desk.next("snapshot"))["cases"] == []

    async def test_a_commit_that_cannot_be_read_stops_nothing(self, village: World, operator: dict[str, str]) -> None:
        subject = f"cases.{village.site}.h-1.h-1-ABCDEFGH"
        await village.nc.jetstream().publish(subject, b"rubbish")
        case = await village.open_case("h-2")
        async with village.served() as client, page(client, operator) as desk:
            assert ids((await desk.next("snapshot"))["cases"]) == {case.id}

    async def test_a_case_with_a_commit_that_cannot_be_folded_is_taken_up_without_it(
        self, village: World, models: Models
    ) -> None:
        case = await village.open_case()
        await put(village, case.id, NO_TIME)
        other = await village.open_case("h-2")
        models.known = ([case.id, other.id], other.seq)
        board = LiveBoard(village.nc, village.log, models.open_cases, clock=lambda: now() + timedelta(hours=1))
        async with board:
            await board.ready()
            assert set(board.cases) == {case.id, other.id}


REPLY = (
    b'{"type": "responder_replied.v1", "reply": "r", "responder": "p-1", "answer": "going", "via": "page", "at": "%b"}'
)
NO_TIME = b'{"events": [%b, %b]}' % (REPLY % b"2026-11-21T08:00:00Z", REPLY % b"2026-11-21T08:00:00")
"""A commit that can be read and not folded: a time without its zone is neither before nor after another."""


NOTED = (
    '{"events": [{"type": "case_noted.v1", "note": "n", "author": "operator:wang", "text": "新",'
    ' "at": "2026-11-21T08:00:00Z"}]}'.encode()
)


class TestReadiness:
    """Ready is who can show an alarm, too."""

    async def ready(self, client: Client) -> tuple[int, str]:
        response = await client.get("/readyz")
        return response.status, (await response.json())["board"]

    async def test_not_while_the_board_still_reads(self, village: World, monkeypatch: pytest.MonkeyPatch) -> None:
        await village.open_case()
        begin, gate = LiveBoard._begin, asyncio.Event()

        async def slow(self: LiveBoard) -> int:
            await gate.wait()
            return await begin(self)

        monkeypatch.setattr(LiveBoard, "_begin", slow)
        async with village.served() as client:
            assert await self.ready(client) == (503, "reading")
            gate.set()
            await board_of(client).ready()
            assert await self.ready(client) == (200, "caught_up")

    async def test_not_while_the_board_is_stuck_but_while_it_follows(
        self, client: Client, village: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await board_of(client).ready()
        monkeypatch.setattr(operations, "ANSWER_SECONDS", 0.5)
        take, turns = LiveBoard._take, asyncio.Semaphore(0)

        async def slow(self: LiveBoard, commit: Commit) -> None:
            await turns.acquire()
            await take(self, commit)

        monkeypatch.setattr(LiveBoard, "_take", slow)
        await village.open_case()
        newest = await village.open_case("h-2")
        assert await self.ready(client) == (503, "stuck")
        asking = asyncio.create_task(board_of(client).state(SECONDS))
        await asyncio.sleep(0)  # it has begun to ask
        turns.release()
        assert await asking == "following"
        turns.release()
        await until(lambda: board_of(client).position >= newest.seq, "the board is there")
        assert await self.ready(client) == (200, "caught_up")


async def put(village: World, case: CaseId, body: bytes) -> int:
    """Store `body` as a commit of `case`, as no process of ours would. Returns its position."""
    subject = f"cases.{village.site}.{case.rpartition('-')[0]}.{case}"
    headers = {"ce-id": f"put-{len(body)}", "ce-specversion": "1.0"}
    return (await village.nc.jetstream().publish(subject, body, headers=headers)).seq


@pytest.mark.parametrize(
    "body",
    [b"rubbish", NO_TIME, b'{"events": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=["not to be read", "not to be folded", "nested without end"],
)
async def test_a_page_goes_on_after_a_commit_that_nothing_can_be_made_of(
    body: bytes, client: Client, village: World, operator: dict[str, str]
) -> None:
    case = await village.open_case()
    board = board_of(client)
    await until(lambda: board.position >= case.seq, "the board has the case")
    async with page(client, operator) as desk:
        await desk.next("snapshot")
        bad = await put(village, case.id, body)
        await until(lambda: board.position >= bad, "the board is past it")
        other = await village.open_case("h-2")
        assert (await desk.next("case"))["id"] == other.id
        await put(village, case.id, NOTED)
        shown = await desk.case(lambda one: one["id"] == case.id)
        assert [note["text"] for note in shown["notes"]] == ["新"]


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
