"""One HTTP POST to somebody else's server: bounded in size, and in time by its lane.

An endpoint belongs to a stranger. It may hang, trickle, redirect, answer with a gigabyte or point into
our own network; nothing of that may delay another call. Answers are judged by their status alone:
bodies are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from dispatch.fanout.channels.guard import NotAllowed, Resolver, require_allowed
from dispatch.fanout.channels.retry_after import seconds_of
from dispatch.fanout.channels.sender import Sent, failed

CONNECT_SECONDS = 2.0


class Poster:
    """Posts to many endpoints at once. With `guarded` only https on public addresses is spoken to."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        resolver = Resolver(guarded=self._guarded)
        connector = aiohttp.TCPConnector(
            limit=0, limit_per_host=0, resolver=resolver, ttl_dns_cache=60, keepalive_timeout=60
        )
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                auto_decompress=False,
                headers={"User-Agent": "joint-defence-dispatch"},
            )
        )
        self._stack.push_async_callback(resolver.close)
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
            async with self._session.post(where, data=body, headers=headers, allow_redirects=False) as answer:
                return judge(answer.status) or judge_status(answer.status, answer.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return judge_error(error)


@lru_cache(maxsize=4096)
def origin_of(url: str) -> str:
    """Whose server `url` is on: the provider of what is posted there."""
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
        case aiohttp.ClientOSError():
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
