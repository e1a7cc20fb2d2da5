"""What is wrong in the system itself, for operators: the DLQ and the watchdog's incidents, followed live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from typing_extensions import TypedDict

from dispatch.errors import Unavailable, Unreadable
from dispatch.events import DLQ, INCIDENTS, DeadLetter, decode_letter, direct_get, follow
from dispatch.web.tasks import Tasks
from dispatch.web.watched import Watched

log = structlog.get_logger()

COUNT_SECONDS = 30.0
SEARCHED_BACK = 20_000
OF_CASES = {"owed", "late"}
"""The kinds of incident that name a case."""
_REMOVED = {"DEL", "PURGE"}


class LatestLetter(TypedDict):
    by: str
    reason: str
    at: datetime


class DlqView(TypedDict):
    count: int
    latest: LatestLetter | None


class LetterView(TypedDict):
    seq: int
    by: str
    reason: str
    at: datetime
    stream: str
    subject: str
    body: str


class IncidentView(TypedDict):
    kind: str
    what: str
    since: str | None
    detail: str


class Trouble:
    """Follows `DLQ` and `INCIDENTS` of a site; `changed` is called with `dlq` or `incidents`."""

    def __init__(self, nc: Client, site: str, changed: Callable[[str], None]) -> None:
        self._nc, self._site, self._changed = nc, site, changed
        self.dlq: DlqView = {"count": 0, "latest": None}
        self._incidents: dict[str, IncidentView] = {}
        self._watched = Watched(nc, site, lambda: changed("incidents"))

    @property
    def incidents(self) -> list[IncidentView]:
        """What the watchdog says is wrong now, and that it says nothing, oldest first."""
        found = [*self._incidents.values()]
        if (unwatched := self._watched.incident) is not None:
            found.append({**unwatched})
        return sorted(found, key=lambda incident: incident["since"] or "")

    def dlq_for(self, *, whole_site: bool) -> DlqView:
        """The DLQ as an operator may see it: a reason may name a household, so it is for those of the whole site."""
        latest = self.dlq["latest"]
        return self.dlq if whole_site or latest is None else {**self.dlq, "latest": {**latest, "reason": ""}}

    def incidents_for(self, may_name: Callable[[str], bool]) -> list[IncidentView]:
        """The incidents, without the name of a case that the operator may not see."""
        return [
            {**incident, "what": ""} if incident["kind"] in OF_CASES and not may_name(incident["what"]) else incident
            for incident in self.incidents
        ]

    def start(self, tasks: Tasks) -> None:
        tasks.keep("dlq", self._follow_letters)
        tasks.keep("dlq.count", self._count_for_ever)
        tasks.keep("incidents", self._follow_incidents)
        tasks.keep("watched", self._watched.follow)

    async def _follow_letters(self) -> None:
        newest = await letters(self._nc, self._site, limit=1)
        after = 0
        if newest:
            after, letter = newest[0]
            self.dlq = {"count": max(1, self.dlq["count"]), "latest": _latest(letter)}
        async for message in follow(self._nc, DLQ, f"dlq.{self._site}.*", after=after):
            try:
                latest = _latest(decode_letter(message.data))
            except Unreadable as error:
                latest = {"by": message.subject, "reason": error.detail, "at": message.metadata.timestamp}
            self.dlq = {"count": self.dlq["count"] + 1, "latest": latest}
            self._changed("dlq")

    async def _count_for_ever(self) -> None:
        """Somebody may take letters out: count again now and then."""
        while True:
            info = await self._nc.jetstream().stream_info(DLQ, subjects_filter=f"dlq.{self._site}.*")
            count = sum((info.state.subjects or {}).values())
            if count != self.dlq["count"]:
                self.dlq = {**self.dlq, "count": count}
                self._changed("dlq")
            await asyncio.sleep(COUNT_SECONDS)

    async def _follow_incidents(self) -> None:
        prefix = f"$KV.{INCIDENTS}.{self._site}."
        self._incidents.clear()
        async for message in follow(self._nc, f"KV_{INCIDENTS}", f"{prefix}>"):
            key = message.subject.removeprefix(prefix)
            if (message.headers or {}).get("KV-Operation") in _REMOVED:
                self._incidents.pop(key, None)
            else:
                self._incidents[key] = _incident(key, message)
            self._changed("incidents")


def _latest(letter: DeadLetter) -> LatestLetter:
    return {"by": letter.by, "reason": letter.reason, "at": letter.at}


def _incident(key: str, message: Msg) -> IncidentView:
    kind, _, what = key.partition(".")
    try:
        value: Any = json.loads(message.data)
    except ValueError:
        value = None
    known = value if isinstance(value, dict) else {"detail": message.data.decode(errors="replace")[:500]}
    since = known.get("since") or message.metadata.timestamp.isoformat()
    return {"kind": kind, "what": str(known.get("what") or what), "since": str(since), "detail": _text(known)}


def _text(known: dict[str, Any]) -> str:
    detail = known.get("detail", "")
    return detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)


async def letters(nc: Client, site: str, *, limit: int) -> list[tuple[int, DeadLetter]]:
    """The site's newest dead letters with their sequences, newest first, searched `SEARCHED_BACK` letters back.

    Raises `Unavailable`.
    """
    try:
        state = (await nc.jetstream().stream_info(DLQ)).state
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable(f"the DLQ does not answer: {error!r}") from error
    window = limit
    while True:
        start = max(state.first_seq, state.last_seq - window + 1, 1)
        found = await _letters_from(nc, site, start)
        if len(found) >= limit or start <= max(state.first_seq, 1) or window >= SEARCHED_BACK:
            return found[::-1][:limit]
        window *= 8


async def _letters_from(nc: Client, site: str, start: int) -> list[tuple[int, DeadLetter]]:
    found: list[tuple[int, DeadLetter]] = []
    while page := await direct_get(nc, DLQ, {"seq": start, "next_by_subj": f"dlq.{site}.*", "batch": 256}):
        for message in page:
            start = int((message.headers or {})["Nats-Sequence"]) + 1
            try:
                found.append((start - 1, decode_letter(message.data)))
            except Unreadable as error:
                log.error("dlq.unreadable", seq=start - 1, reason=error.detail)
    return found
