"""One HTTP POST to somebody else's server: bounded in time and size, tried again when that can help.

An endpoint belongs to a stranger. It may hang, trickle, redirect, answer with a gigabyte or point into
our own network; nothing of that may delay another call. Answers are judged by their status alone:
bodies are never read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

import aiohttp
import msgspec
import structlog
from yarl import URL

from dispatch.fanout.channels.guard import NotAllowed, Resolver, require_allowed
from dispatch.fanout.channels.retry_after import seconds_of
from dispatch.fanout.channels.sender import Sent, failed

log = structlog.get_logger()

TRY_SECONDS = 5.0
CONNECT_SECONDS = 2.0
BUDGET_SECONDS = 10.0
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
AT_ONCE = 1024
AT_ONCE_PER_ORIGIN = 256
"""So that one provider that hangs in a storm cannot take every turn. It is no queue in daily use."""

Request = Callable[[], tuple[bytes, Mapping[str, str]]]
"""Body and headers, made anew for each try (signatures hold a time)."""


class Temporary(msgspec.Struct, frozen=True):
    """A try that failed and may succeed later; `wait` is what the server asked for, in seconds."""

    reason: str
    wait: float = 0.0


class Poster:
    """Posts to many endpoints at once. With `guarded` only https on public addresses is spoken to."""

    def __init__(
        self, *, guarded: bool, try_seconds: float = TRY_SECONDS, budget_seconds: float = BUDGET_SECONDS
    ) -> None:
        self._guarded, self._try_seconds, self._budget = guarded, try_seconds, budget_seconds
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._origins: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
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
                timeout=aiohttp.ClientTimeout(total=self._try_seconds, sock_connect=CONNECT_SECONDS),
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

    async def post(self, url: str, request: Request, judge: Callable[[int], Sent | None]) -> Sent:
        """POST until there is an outcome or the budget is used up.

        `judge` says what a status means, None leaving it to the rules of HTTP.
        """
        try:
            where = URL(url)
            require_allowed(where, guarded=self._guarded)
        except (ValueError, NotAllowed) as error:
            return failed(str(error))
        origin = self._origins.setdefault(str(where.origin()), asyncio.Semaphore(AT_ONCE_PER_ORIGIN))
        loop = asyncio.get_running_loop()
        end = loop.time() + self._budget
        for tried, pause in enumerate((*PAUSES_SECONDS, float("inf")), start=1):
            async with origin, self._turns:
                result = await self._try(where, request, judge)
            if isinstance(result, Sent):
                return result
            wait = max(pause, result.wait)
            if loop.time() + wait > end:
                return failed(f"{result.reason}; tried {tried} times" if tried > 1 else result.reason)
            await asyncio.sleep(wait)
        raise AssertionError("the last pause is longer than any budget")

    async def _try(self, url: URL, request: Request, judge: Callable[[int], Sent | None]) -> Sent | Temporary:
        try:
            body, headers = request()
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return judge(answer.status) or judge_status(answer.status, answer.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return judge_error(error)


def judge_error(error: Exception) -> Sent | Temporary:  # noqa: PLR0911  (one return for each error)
    """What an error of the connection says: later, when that can help; else never.

    No answer in time is tried again too: the ring may have arrived, but has its id by which a phone shows it once.
    """
    match error:
        case aiohttp.InvalidURL():
            return failed("the endpoint is no URL to post to")
        case aiohttp.ConnectionTimeoutError():
            return Temporary("no connection in time")
        case aiohttp.ServerDisconnectedError():
            return Temporary("the connection was closed without an answer")
        case TimeoutError():
            return Temporary("no answer in time; it may have arrived")
        case aiohttp.ClientConnectorCertificateError():
            return failed("its certificate is not valid")
        case aiohttp.ClientOSError() if isinstance(error.__cause__, NotAllowed):
            return failed(str(error.__cause__))
        case aiohttp.ClientOSError():
            return Temporary(f"no connection: {error.strerror or type(error).__name__}")
        case _:
            return failed(f"no proper answer: {type(error).__name__}")


def judge_status(status: int, retry_after: str | None) -> Sent | Temporary:
    """What a status of HTTP says: 2xx taken; 408, 425, 429 and 5xx later perhaps; anything else never."""
    if 200 <= status < 300:
        return Sent("sent")
    if status in {408, 425, 429} or status >= 500:
        wait = seconds_of(retry_after)
        asked = f", asks to wait {wait:g} s" if wait else ""
        return Temporary(f"HTTP {status}{asked}", wait)
    if 300 <= status < 400:
        return failed(f"HTTP {status}: redirects are not followed")
    return failed(f"HTTP {status}")
