"""How the live board begins: from Postgres or without it, and when it is ready."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest

from dispatch.cases import AddNote, GiveAnswer, Resolve
from dispatch.clock import now
from dispatch.events import Commit
from dispatch.identifiers import CaseId, PersonId
from dispatch.web import live
from dispatch.web.api import operations
from dispatch.web.live import LiveBoard
from dispatch.web.position import position_at
from tests.integration.web.live_world import Client, Models, board_of, ids
from tests.integration.web_world import SECONDS, World, page, until
from tests.waiting import until as eventually


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

    async def becomes(self, client: Client, wanted: tuple[int, str]) -> None:
        """An answer is good for a second: wait for the next."""

        async def so() -> bool:
            return await self.ready(client) == wanted

        await eventually(so, f"/readyz to answer {wanted}", every=0.05)

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
            await self.becomes(client, (200, "caught_up"))

    async def test_it_is_looked_at_once_a_second_however_many_ask(self, client: Client, models: Models) -> None:
        await board_of(client).ready()
        before, began = models.asked, monotonic()
        answers = await asyncio.gather(*(self.ready(client) for _ in range(200)))
        assert set(answers) == {(200, "caught_up")}
        assert models.asked - before <= 2 + monotonic() - began

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
        await self.becomes(client, (200, "caught_up"))


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
