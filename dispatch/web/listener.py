"""One open page, as the live board sees it: what it has not been told yet, and nothing else."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Literal

from dispatch.access import Principal
from dispatch.identifiers import CaseId

News = Literal["dlq", "incidents", "taken_back"]

RINGS_WAITING = 64


class Ring:
    """One request to ring a person's open pages, and what came of it."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.written = False
        self.confirmed = asyncio.Event()


class Listener:
    """Remembers which cases a page must be told of, never how often they changed.

    A slow page therefore costs no more than one name per case, and is told the newest of each.
    """

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.changed: set[CaseId] = set()
        self.news: set[News] = set()
        self.rings: deque[Ring] = deque(maxlen=RINGS_WAITING)
        self.wake = asyncio.Event()
        self.closed = False

    def tell(self, case: CaseId) -> None:
        self.changed.add(case)
        self.wake.set()

    def tell_news(self, what: News) -> None:
        self.news.add(what)
        self.wake.set()

    def ring(self, ring: Ring) -> None:
        self.rings.append(ring)
        self.wake.set()

    def close(self) -> None:
        """End the page's stream at once."""
        self.closed = True
        self.wake.set()
