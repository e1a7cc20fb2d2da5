"""Residents' phones: they press over connections that are open, and time begins when the request is written.

Phones are no machines of ours; here they share ours, so they must be light: a parser and nothing around it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import msgspec

BODY = b"{}"
ANSWER_SECONDS = 30.0


class Pressed(msgspec.Struct, frozen=True):
    """What was answered, and when the request was written, in nanoseconds of the machine's monotonic clock."""

    answer: dict[str, Any]
    at: int


class Phones:
    """As many open connections to `url` as press at the same time."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url).netloc
        self._open: list[_Connection] = []
        self._idle: list[_Connection] = []

    async def press(self, token: str, key: str) -> Pressed:
        """Press with the device's `token`; `key` names the press.

        Fails when it is not accepted, or not answered within thirty seconds.
        """
        head = (
            "POST /v1/alarms HTTP/1.1",
            f"Host: {self._server}",
            f"Authorization: Bearer {token}",
            f"Idempotency-Key: {key}",
            "Content-Type: application/json",
            f"Content-Length: {len(BODY)}",
            "\r\n",
        )
        request = "\r\n".join(head).encode() + BODY
        phone = await self._connected()
        at = time.monotonic_ns()
        async with asyncio.timeout(ANSWER_SECONDS):
            status, body = await phone.ask(request)
        if status != 202:
            raise AssertionError(f"the press was answered {status}: {body[:200]!r}")
        self._idle.append(phone)
        return Pressed(msgspec.json.decode(body), at)

    def close(self) -> None:
        """Close every connection."""
        for phone in self._open:
            phone.close()

    async def _connected(self) -> _Connection:
        while self._idle:
            if (phone := self._idle.pop()).is_open:
                return phone
        host, _, port = self._server.partition(":")
        _, phone = await asyncio.get_running_loop().create_connection(_Connection, host, int(port))
        self._open.append(phone)
        return phone


class _Connection(asyncio.Protocol):
    """One connection, for one request after the other."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Write `request`; its status and body when they are there."""
        self._parser, self._body = httptools.HttpResponseParser(self), b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the connection was closed without an answer"))
