"""Connections that are kept to the servers of others, and one POST over one of them (HTTP/1.1, RFC 9112).

In a storm most of what a ring costs is its request, so that this does what a ring needs and no more: an answer is its
status and `Retry-After`. Bodies are thrown away; where one is long or slow in coming, the connection goes with it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, cast

import aiohappyeyeballs
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from dispatch.fanout.channels.guard import Names

CONNECT_SECONDS = 2.0
KEEP_SECONDS = 60.0
"""How long a connection without work is kept."""
BODY_SECONDS, MOST_BYTES = 2.0, 65_536
"""How long, and how big, an answer may be for its connection to be used again."""
SECOND_ADDRESS_SECONDS = 0.25
"""Between trying one address of a server and the next (RFC 8305, 5)."""


class Closed(Exception):
    """The server closed the connection without an answer."""


class Improper(Exception):
    """What came is no answer of HTTP."""


class Answer(NamedTuple):
    status: int
    retry_after: str | None


class Origin(NamedTuple):
    """A server, as a connection is made to it."""

    host: str
    port: int
    tls: bool


class Connection(asyncio.Protocol):
    """One connection, for one request at a time. `free` is told when it can take the next, `lost` when it is gone."""

    def __init__(self, free: Callable[[Connection], None], lost: Callable[[Connection], None]) -> None:
        self._free, self._lost = free, lost
        self._answer: asyncio.Future[Answer] | None = None
        self._retry_after: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.is_open = False
        self.idle_since = 0.0

    async def post(self, request: bytes) -> Answer:
        """Write `request` and wait for the head of its answer. Raises `Closed`, `Improper`."""
        self._parser, self._received = HttpResponseParser(self), 0
        self._retry_after = None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.is_open = cast("asyncio.Transport", transport), True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked
            self.close()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(Improper(type(error).__name__))
        self._limit()

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        self._fail(Closed())
        self._lost(self)

    def on_message_begin(self) -> None:
        if self._answer is None:  # more than was asked for
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(status, self._retry_after))

    def on_message_complete(self) -> None:
        if self._answer is None or not self._answer.done():  # 1xx: the answer is still to come
            return
        self._answer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._parser.should_keep_alive() and self.is_open:
            self._free(self)
        else:
            self.close()

    def _limit(self) -> None:
        """What is not at its end yet may not go on for ever."""
        if self._answer is None:
            return
        if self._received > MOST_BYTES:
            self._fail(Improper("a head without end"))
        elif self._answer.done() and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BODY_SECONDS, self.close)

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._answer = None
        self.close()


class Connections:
    """Connections to many servers, used again and again, those used last first. Close it in the end."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._all: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def post(self, origin: Origin, request: bytes) -> Answer:
        """Send `request` to `origin` once and wait for its answer, for ever.

        Raises `OSError` (`NotAllowed`, `TimeoutError` and those of TLS among them) when there is no connection, else
        `Closed` and `Improper`.
        """
        return await (self._kept(origin) or await self._connected(origin)).post(request)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._all):
            connection.close()

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle[origin]
        while idle:
            if (connection := idle.pop()).is_open:
                return connection
        return None

    async def _connected(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        addresses = await self._names.addresses(origin.host, origin.port)

        def made() -> Connection:
            return Connection(lambda connection: self._keep(origin, connection), self._all.discard)

        async with asyncio.timeout(CONNECT_SECONDS):
            socket = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=SECOND_ADDRESS_SECONDS, interleave=1, loop=loop
            )
        # A handshake is work: in a storm of first rings it may take longer than a connection.
        tls = self._tls if origin.tls else None
        _, connection = await loop.create_connection(
            made, sock=socket, ssl=tls, server_hostname=origin.host if tls else None
        )
        self._all.add(connection)
        return connection

    def _keep(self, origin: Origin, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle[origin].append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(KEEP_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time() - KEEP_SECONDS
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_since < before:
                    connection.close()
            self._idle[origin] = [connection for connection in idle if connection.is_open]
            if not self._idle[origin]:
                del self._idle[origin]
        self._sweep = loop.call_later(KEEP_SECONDS, self._close_idle) if self._idle else None
