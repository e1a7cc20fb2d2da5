"""Asking many open pages at once, on a connection that fails one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg
from nats.errors import OutboundBufferLimitError

from dispatch.fanout.channels import LiveSender, Sent
from dispatch.identifiers import PersonId
from tests.rings import ring


class Connection:
    """Takes no question to `refused`; all other pages answer once every one has been asked."""

    def __init__(self, refused: str) -> None:
        self._refused, self._asked = refused, list[str]()
        self._hear: Callable[[Msg], Awaitable[None]] | None = None

    def new_inbox(self) -> str:
        return "_INBOX.a"

    async def subscribe(self, _subject: str, *, cb: Callable[[Msg], Awaitable[None]], **_limits: int) -> None:
        self._hear = cb

    async def publish(self, subject: str, _body: bytes, *, reply: str) -> None:
        if subject.endswith(self._refused):
            raise OutboundBufferLimitError
        if not self._asked:
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._answer()))
        self._asked.append(reply)

    async def _answer(self) -> None:
        assert self._hear is not None
        for subject in self._asked:
            await self._hear(Msg(_client=cast("Any", self), subject=subject, data=b'{"outcome": "delivered"}'))


@pytest.mark.parametrize("refused", range(3))
async def test_a_question_that_cannot_be_put_takes_no_answer_from_the_others(refused: int) -> None:
    said: dict[PersonId, Sent] = {}
    rings = [replace(ring(), responder=PersonId(f"p-{number}")) for number in range(3)]
    sender = LiveSender(cast("Any", Connection(f"p-{refused}")), "s", seconds=5)
    async with asyncio.timeout(2):
        await sender.send_all(rings, lambda ring, sent: said.update({ring.responder: sent}))
    away = Sent("failed", "the message server is away: OutboundBufferLimitError")
    assert said == {one.responder: Sent("delivered") for one in rings} | {PersonId(f"p-{refused}"): away}


class Silent(Connection):
    """Pages of which none ever answers."""

    async def publish(self, _subject: str, _body: bytes, *, reply: str) -> None:
        pass


async def test_of_pages_that_do_not_answer_in_time_it_is_said_of_each() -> None:
    said: list[str | None] = []
    rings = [replace(ring(), responder=PersonId(f"p-{number}")) for number in range(3)]
    sender = LiveSender(cast("Any", Silent("")), "s", seconds=0.05)
    await sender.send_all(rings, lambda _, sent: said.append(sent.reason))
    assert said == ["the open page did not answer within 0.05 s"] * 3
