"""One HTTP POST to somebody else's server: bounded in size, and in time by its lane.

An endpoint belongs to a stranger. It may hang, trickle, redirect, answer with a gigabyte or point into
our own network; nothing of that may delay another call. Answers are judged by their status alone:
bodies are never read.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self

from yarl import URL

from dispatch.fanout.channels.connections import Closed, Connections, Improper, Origin
from dispatch.fanout.channels.guard import Names, NotAllowed, require_allowed
from dispatch.fanout.channels.retry_after import seconds_of
from dispatch.fanout.channels.sender import Sent, failed

REMEMBERED_ENDPOINTS = 16_384


class Endpoint(NamedTuple):
    """Where a URL leads to, the provider as words name it, and how a request to it begins."""

    url: URL
    origin: Origin
    provider: str
    head: str


class Poster:
    """Posts to many endpoints at once. With `guarded` only https on public addresses is spoken to."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded

    async def __aenter__(self) -> Self:
        self._names = Names(guarded=self._guarded)
        self._connections = Connections(self._names)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connections.close()
        self._names.close()

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        judge: Callable[[int], Sent | None] = lambda _status: None,
    ) -> Sent:
        """POST once. `judge` says what a status means, None leaving it to the rules of HTTP."""
        try:
            endpoint = endpoint_of(url)
            require_allowed(endpoint.url, guarded=self._guarded)
            request = request_of(endpoint, headers, body)
        except (ValueError, NotAllowed) as error:
            return failed(str(error))
        try:
            answer = await self._connections.post(endpoint.origin, request)
        except (OSError, ValueError, Closed, Improper) as error:
            return judge_error(error)
        return judge(answer.status) or judge_status(answer.status, answer.retry_after)


@lru_cache(REMEMBERED_ENDPOINTS)
def endpoint_of(url: str) -> Endpoint:
    """The endpoint that `url` names. Raises `ValueError` when it names none."""
    where = URL(url)
    if where.scheme not in {"http", "https"} or not where.raw_host or where.port is None:
        raise ValueError("the endpoint is no http or https URL")
    head = (
        f"POST {where.raw_path_qs} HTTP/1.1\r\nHost: {where.host_port_subcomponent}\r\n"
        "User-Agent: joint-defence-dispatch\r\nAccept: */*\r\n"
    )
    if where.user is not None:
        secret = b64encode(f"{where.user}:{where.password or ''}".encode()).decode()
        head += f"Authorization: Basic {secret}\r\n"
    origin = Origin(where.raw_host, where.port, tls=where.scheme == "https")
    return Endpoint(where, origin, str(where.origin()), head)


def request_of(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of a POST. Raises `ValueError` for a header with a line of its own."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise ValueError("a header may not hold a line break")
    return f"{endpoint.head}{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def origin_of(url: str) -> str:
    """Whose server `url` is on: the provider of what is posted there."""
    try:
        return endpoint_of(url).provider
    except ValueError:
        return ""


def temporary(reason: str, wait: float = 0.0) -> Sent:
    """A try that failed and may succeed later; `wait` is what the server asked for, in seconds."""
    return Sent("failed", reason, later=wait)


def judge_error(error: Exception) -> Sent:  # noqa: PLR0911  (one return for each error)
    """What an error of the connection says: later, when that can help; else never.

    No answer is tried again too: the ring may have arrived, but has its id by which a phone shows it once.
    """
    match error:
        case NotAllowed():
            return failed(str(error))
        case TimeoutError():
            return temporary("no connection in time")
        case ssl.SSLCertVerificationError():
            return failed("its certificate is not valid")
        case OSError():
            return temporary(f"no connection: {error.strerror or type(error).__name__}")
        case Closed():
            return temporary("the connection was closed without an answer")
        case Improper():
            return failed(f"no proper answer: {error}")
        case _:
            return failed("the endpoint is no URL to post to")


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
