"""HTTP endpoints of other people, run on loopback: they remember what they got, and answer as a test wants."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from aiohttp import web


@dataclass(frozen=True)
class Request:
    """One POST that arrived, `at` seconds of the monotonic clock."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def ok(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=200, text="ok")


def status(*codes: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Answers with each of `codes` once, then with the last for ever."""
    left = list(codes)

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0], headers=headers)

    return answer


@dataclass
class Receiver:
    """One endpoint. `hang` until the test sets `released`."""

    url: str = ""
    answer: Answer = ok
    requests: list[Request] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append(Request(request.path, dict(request.headers), body, monotonic()))
        return await self.answer(request)

    async def hang(self, _request: web.Request) -> web.StreamResponse:
        await self.released.wait()
        return web.Response(status=200)


@asynccontextmanager
async def receiving(
    answer: Answer = ok, port: int = 0, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver on `port`, or on a free one; over https with `tls`."""
    receiver = Receiver(answer=answer)
    application = web.Application(client_max_size=1024 * 1024)
    application.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        receiver.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        receiver.released.set()
        await runner.cleanup()


class Reserved:
    """A port of ours on which nobody listens yet: connections to it are refused."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def release(self) -> int:
        self._socket.close()
        return int(self.port)


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(talk: Talk) -> AsyncIterator[str]:
    """A TCP server that speaks whatever `talk` does; its http URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
