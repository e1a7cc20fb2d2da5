"""Pages that hang on the live board: slow ones, stuck ones, too many, and how they end."""

from __future__ import annotations

import asyncio
import socket

import pytest

from dispatch.cases import AddNote
from dispatch.web import live, stream
from tests.integration.web.live_world import Client, board_of
from tests.integration.web_world import World, page, until


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


@pytest.mark.parametrize("heard", [True, False])
async def test_a_revoked_token_ends_its_pages(
    client: Client, village: World, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    if heard:  # at once, and by nothing else
        monkeypatch.setattr(stream, "CHECK_SECONDS", 3600)
    else:
        monkeypatch.setattr(live.LiveBoard, "close_pages", lambda *_: None)
        monkeypatch.setattr(stream, "CHECK_SECONDS", 0.1)
    issued = await village.tokens.issue("operator", "chen")
    async with page(client, {"Authorization": f"Bearer {issued.secret}"}) as desk, page(client, operator):
        await desk.next("snapshot")
        await village.tokens.revoke(issued.token_id)
        assert await desk.is_over()
        assert board_of(client).pages_of("operator", "wang"), "another's goes on"


async def test_a_shutdown_ends_every_page_at_once(village: World, operator: dict[str, str]) -> None:
    async with village.served() as client, page(client, operator) as desk:
        await desk.next("snapshot")
        began = asyncio.get_running_loop().time()
        await client.server.close()
        assert await desk.is_over()
        assert asyncio.get_running_loop().time() - began < 3
