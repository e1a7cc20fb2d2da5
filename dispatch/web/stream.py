"""The live stream of one page: server-sent events, a snapshot first and then what changes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from aiohttp import web

from dispatch.access import Principal
from dispatch.cases import Case
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.identifiers import CaseId, PersonId
from dispatch.web.access import Gate, may_see
from dispatch.web.case_view import CaseView
from dispatch.web.encoding import encoded
from dispatch.web.listener import Listener
from dispatch.web.metrics import DROPPED_PAGES, OPEN_PAGES
from dispatch.web.parts import Parts
from dispatch.web.trouble import DlqView, IncidentView
from dispatch.web.views import known_to, view, viewer_of

log = structlog.get_logger()

BEAT_SECONDS = 5.0
STUCK_SECONDS = 10.0
GONE_SECONDS = 1.0
"""How soon a page that has been closed is noticed."""
CHECK_SECONDS = 30.0
"""A token that was revoked ends its pages at once; so often it is seen whether that was missed, or it was outlived."""
GATHER_SECONDS = 0.02
"""After each write changes gather for this long, so that a storm is told in few strokes."""
VIEWS_AT_ONCE = 16


def sse(event: str, data: Any, id_: int | None = None) -> bytes:
    """One server-sent event; `data` is written as JSON, which holds no line break."""
    position = b"id: %d\n" % id_ if id_ is not None else b""
    return b"%sevent: %s\ndata: %s\n\n" % (position, event.encode(), encoded(data))


class Stream:
    """Writes what concerns one page to its socket until the page, its token or this process goes away."""

    def __init__(
        self, parts: Parts, listener: Listener, response: web.StreamResponse, transport: asyncio.BaseTransport
    ) -> None:
        self._board, self._directory = parts.board, parts.directory
        self._listener, self._principal = listener, listener.principal
        self._response, self._transport = response, transport

    @property
    def _is_operator(self) -> bool:
        return self._principal.role == "operator"

    async def run(self, gate: Gate, secret: str, after: int | None) -> None:
        """Write until it is over; `after` is the last position that an operator's page knows, or None.

        To others no position is given, and none is taken from them: by it they could count what they may not see.

        Raises `TimeoutError` when the socket takes nothing for ten seconds, `ConnectionError` when it is gone.
        """
        clock = asyncio.get_running_loop().time
        await self._begin(after)
        beat, check = clock() + BEAT_SECONDS, clock() + CHECK_SECONDS
        while await self._woken(min(beat, check)):
            if clock() >= check:
                if not await _still_good(gate, secret):
                    return
                check = clock() + CHECK_SECONDS
            if clock() >= beat:
                await self._write(sse("beat", {"at": now()}))
                beat = clock() + BEAT_SECONDS
            if self._listener.wake.is_set():
                self._listener.wake.clear()
                await self._tell()
                await asyncio.sleep(GATHER_SECONDS)

    async def _woken(self, deadline: float) -> bool:
        """Wait for news or the deadline (loop time, seconds). False when the stream is over."""
        clock = asyncio.get_running_loop().time
        while not self._listener.wake.is_set() and (left := deadline - clock()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._listener.wake.wait(), min(left, GONE_SECONDS))
            if self._transport.is_closing():
                return False
        return not self._listener.closed

    async def _begin(self, after: int | None) -> None:
        await self._write(b"retry: 1000\n\n" + sse("beat", {"at": now()}))
        if after is None or not self._is_operator or not self._board.remembers(after):
            await self._snapshot()
            return
        await self._tell_cases(self._board.visible(self._principal, after=after))
        self._listener.news |= {"dlq", "incidents"}
        self._listener.wake.set()

    async def _snapshot(self) -> None:
        position, cases = self._board.position, self._board.visible(self._principal)
        snapshot: dict[str, Any] = {"cases": [one async for one in self._views(cases)]}
        if not self._is_operator:
            await self._write(sse("snapshot", snapshot))
            return
        snapshot |= {"position": position, "dlq": self._dlq(), "incidents": await self._incidents()}
        await self._write(sse("snapshot", snapshot, position))

    async def _tell(self) -> None:
        """Write what gathered: rings first, for they call somebody."""
        listener = self._listener
        while listener.rings:
            ring = listener.rings.popleft()
            await self._write(sse("ring", ring.body))
            ring.written = True
        changed, news = listener.changed, listener.news
        listener.changed, listener.news = set(), set()
        if "taken_back" in news:  # what the page shows is theirs no more
            await self._snapshot()
            return
        known = [known_to(self._principal, self._board.cases[id_]) for id_ in changed if id_ in self._board.cases]
        await self._tell_cases(sorted(known, key=lambda case: case.seq))
        if "dlq" in news:
            await self._write(sse("dlq", self._dlq()))
        if "incidents" in news:
            await self._write(sse("incidents", await self._incidents()))

    def _dlq(self) -> DlqView:
        return self._board.trouble.dlq_for(whole_site=self._principal.area is None)

    async def _incidents(self) -> list[IncidentView]:
        """What is wrong, with the names of those cases and households only that this operator may see."""
        area, trouble = self._principal.area, self._board.trouble

        def may_name(case_id: str) -> bool:
            case = self._board.cases.get(CaseId(case_id))
            return area is None or (case is not None and may_see(self._principal, case))

        named = trouble.households_named()
        nameable = await self._directory.lying_in(area, named) if area is not None and named else None
        return trouble.incidents_for(may_name, nameable)

    async def _tell_cases(self, cases: Sequence[Case]) -> None:
        """`cases`, as the page may know them, come in the order of their sequences, so that each id stands for
        everything before it.
        """
        async for shown in self._views(cases):
            await self._write(sse("case", shown, shown.get("seq")))

    async def _views(self, cases: Sequence[Case]) -> AsyncIterator[CaseView]:
        viewer = viewer_of(self._principal)
        for start in range(0, len(cases), VIEWS_AT_ONCE):
            some = cases[start : start + VIEWS_AT_ONCE]
            names = await self._directory.names_for(some, aid=viewer.role == "device")
            for case in some:
                yield view(case, names, viewer)
            await asyncio.sleep(0)  # presses are taken by this process too

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(STUCK_SECONDS):
            await self._response.write(data)


async def _still_good(gate: Gate, secret: str) -> bool:
    try:
        return await gate.still_good(secret)
    except Unavailable:
        return True  # nobody can say; what was allowed goes on until somebody can


async def serve_stream(
    request: web.Request, parts: Parts, principal: Principal, secret: str, after: int | None
) -> web.StreamResponse:
    """Answer `request` with the live stream of `principal`.

    Raises `TooFrequent` when too many pages are open, `Unavailable` while the board is not ready.
    """
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    await parts.board.ready()
    with OPEN_PAGES.labels(principal.role).track_inprogress(), contextlib.suppress(ConnectionError):
        async with _listening(parts, principal) as listener:
            await response.prepare(request)
            transport = _watched(request)
            try:
                await Stream(parts, listener, response, transport).run(parts.gate, secret, after)
            except TimeoutError:
                DROPPED_PAGES.labels(principal.role).inc()
                transport.abort()
    return response


@contextlib.asynccontextmanager
async def _listening(parts: Parts, principal: Principal) -> AsyncIterator[Listener]:
    async with contextlib.AsyncExitStack() as stack:
        if principal.role == "responder":
            await stack.enter_async_context(parts.rings.open_page(PersonId(principal.subject)))
        yield stack.enter_context(parts.board.listening(principal))


def _watched(request: web.Request) -> asyncio.WriteTransport:
    """The request's transport. The kernel ends it when the page's machine stops acknowledging."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the page has gone")
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STUCK_SECONDS * 1000))
    return transport
