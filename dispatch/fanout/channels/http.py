"""One HTTP POST to somebody else's server: bounded in size, and in time by its lane.

An endpoint belongs to a stranger. It may hang, trickle, redirect, answer with a gigabyte or point into
our own network; nothing of that may delay another call. Answers are judged by their status alone:
bodies are never read.

Connections, certificates, requests and answers are aiohttp's; what its sessions add for cookies, redirects and
streams is left out, for it costs as much as all the rest (ADR 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from yarl import URL

from dispatch.fanout.channels.guard import NotAllowed, Resolver, require_allowed
from dispatch.fanout.channels.retry_after import seconds_of
from dispatch.fanout.channels.sender import Sent, failed

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=2.0)
USER_AGENT = "joint-defence-dispatch"


class Poster:
    """Posts to many endpoints at once. With `guarded` only https on public addresses is spoken to."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        resolver = Resolver(guarded=self._guarded)
        self._stack.push_async_callback(resolver.close)
        self._connector = aiohttp.TCPConnector(
            limit=0, limit_per_host=0, resolver=resolver, ttl_dns_cache=60, keepalive_timeout=60
        )
        self._stack.push_async_callback(self._connector.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        judge: Callable[[int], Sent | None] = lambda _status: None,
    ) -> Sent:
        """POST once. `judge` says what a status means, None leaving it to the rules of HTTP."""
        try:
            where = URL(url)
            require_allowed(where, guarded=self._guarded)
        except (ValueError, NotAllowed) as error:
            return failed(str(error))
        try:
            answer = await self._answer(where, body, headers)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            return judge_error(error)
        return judge(answer.code) or judge_status(answer.code, answer.headers.get("Retry-After"))

    async def _answer(self, where: URL, body: bytes, headers: Mapping[str, str]) -> RawResponseMessage:
        request = aiohttp.ClientRequest(
            "POST", where, headers={"User-Agent": USER_AGENT, **headers, "Content-Length": str(len(body))}
        )
        try:
            connection = await self._connector.connect(request, traces=[], timeout=TIMEOUT)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        try:
            answer = await _exchange(connection, request, body)
        except BaseException:
            connection.close()
            raise
        connection.release()  # for the next ring, unless there is more of the answer
        return answer


async def _exchange(connection: Connection, request: aiohttp.ClientRequest, body: bytes) -> RawResponseMessage:
    """Send `request` with `body`, in one piece and at once; the answer, without its body."""
    protocol = connection.protocol
    assert protocol is not None  # noqa: S101  (it is just connected)
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)
    writer = StreamWriter(protocol, request.loop)
    await writer.write_headers(f"POST {request.url.raw_path_qs} HTTP/1.1", request.headers)
    await writer.write_eof(body)
    while True:
        answer, _ = await protocol.read()
        if answer.code // 100 != 1 or answer.code == 101:  # what comes before is no answer yet (RFC 9110, 15.2)
            return answer


@lru_cache(maxsize=4096)
def origin_of(url: str) -> str:
    """Whose server `url` is on: the provider of what is posted there. Empty when it is no URL."""
    try:
        return str(URL(url).origin())
    except ValueError:
        return ""


def temporary(reason: str, wait: float = 0.0) -> Sent:
    """A try that failed and may succeed later; `wait` is what the server asked for, in seconds."""
    return Sent("failed", reason, later=wait)


def judge_error(error: Exception) -> Sent:  # noqa: PLR0911  (one return for each error)
    """What an error of the connection says: later, when that can help; else never.

    No answer in time is tried again too: the ring may have arrived, but has its id by which a phone shows it once.
    """
    match error:
        case aiohttp.InvalidURL():
            return failed("the endpoint is no URL to post to")
        case aiohttp.ConnectionTimeoutError():
            return temporary("no connection in time")
        case aiohttp.ServerDisconnectedError():
            return temporary("the connection was closed without an answer")
        case TimeoutError():
            return temporary("no answer in time; it may have arrived")
        case aiohttp.ClientConnectorCertificateError():
            return failed("its certificate is not valid")
        case aiohttp.ClientOSError() if isinstance(error.__cause__, NotAllowed):
            return failed(str(error.__cause__))
        case OSError():
            return temporary(f"no connection: {error.strerror or type(error).__name__}")
        case _:
            return failed(f"no proper answer: {type(error).__name__}")


def judge_status(status: int, retry_after: str | None) -> Sent:
    """What a status of HTTP says: 2xx taken; 408, 425, 429 and 5xx later perhaps; anything else never."""
    if 200 <= status < 300:
        return Sent("sent")
    if status in {408, 425, 429} or status >= 500:
        wait = seconds_of(retry_after)
        asked = f", asks to wait {wait:g} s" if wait else ""
        return temporary(f"HTTP {status}{asked}", wait)
    if 300 <= status < 400:
        return failed(f"HTTP {status}: redirects are not followed")
    return failed(f"HTTP {status}")
