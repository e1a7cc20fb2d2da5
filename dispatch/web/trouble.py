"""What is wrong in the system itself, for operators: the DLQ and the watchdog's incidents, followed live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from typing_extensions import TypedDict

from dispatch.clock import now, of_server
from dispatch.errors import Unreadable
from dispatch.events import (
    DLQ,
    INCIDENTS,
    DeadLetter,
    Letters,
    decode_letter,
    decode_mark,
    follow,
    is_deleted,
    letter_of,
    marks_of,
    state_of,
)
from dispatch.identifiers import HouseholdId
from dispatch.web.tasks import Tasks
from dispatch.web.watched import Watched

log = structlog.get_logger()

COUNT_SECONDS = 30.0
OF_CASES = {"owed", "late"}
"""The kinds of incident that name a case."""
ELSEWHERE = {
    "button": "其他辖区一个按键不停发送，已断开 / a button of another area sent without end and was thrown out",
    "rubbish": "其他辖区一个按键不断发来无法读取的内容 / a button of another area goes on sending what cannot be read",
}
"""The kinds that name a household, and what those read who may not see it."""


class LatestLetter(TypedDict):
    by: str
    reason: str
    at: datetime


class DlqView(TypedDict):
    """How many letters are left to deal with, the newest of all, and where the last letter or mark stands."""

    count: int
    latest: LatestLetter | None
    position: int


class IncidentView(TypedDict):
    kind: str
    what: str
    since: str | None
    detail: str


class Trouble:
    """Follows `DLQ` and `INCIDENTS` of a site; `changed` is called with `dlq` or `incidents`."""

    def __init__(self, nc: Client, site: str, changed: Callable[[str], None]) -> None:
        self._nc, self._site, self._changed = nc, site, changed
        self._letters, self._position = 0, 0
        self._latest: LatestLetter | None = None
        self._dealt_with: set[int] = set()
        self._incidents: dict[str, IncidentView] = {}
        self._watched = Watched(nc, site, lambda: changed("incidents"))

    @property
    def dlq(self) -> DlqView:
        """The DLQ as those of the whole site may see it."""
        count = max(0, self._letters - len(self._dealt_with))
        return {"count": count, "latest": self._latest, "position": self._position}

    @property
    def incidents(self) -> list[IncidentView]:
        """What the watchdog says is wrong now, and that it says nothing, oldest first."""
        found = [*self._incidents.values()]
        if (unwatched := self._watched.incident) is not None:
            found.append({**unwatched})
        return sorted(found, key=lambda incident: incident["since"] or "")

    def households_named(self) -> set[HouseholdId]:
        """The households that incidents are about."""
        return {HouseholdId(one["what"]) for one in self._incidents.values() if one["kind"] in ELSEWHERE}

    def dlq_for(self, *, whole_site: bool) -> DlqView:
        """The DLQ as an operator may see it: a reason may name a household, so it is for those of the whole site."""
        shown = self.dlq
        latest = shown["latest"]
        return shown if whole_site or latest is None else {**shown, "latest": {**latest, "reason": ""}}

    def incidents_for(
        self, may_name: Callable[[str], bool], nameable: Collection[HouseholdId] | None
    ) -> list[IncidentView]:
        """The incidents, without the name of a case or a household that the operator may not see.

        Of households those in `nameable` alone are named; None: all.
        """

        def shown(incident: IncidentView) -> IncidentView:
            if incident["kind"] in OF_CASES and not may_name(incident["what"]):
                return {**incident, "what": ""}
            elsewhere = ELSEWHERE.get(incident["kind"])
            if elsewhere is not None and nameable is not None and incident["what"] not in nameable:
                return {**incident, "what": "", "detail": elsewhere}
            return incident

        return [shown(incident) for incident in self.incidents]

    def start(self, tasks: Tasks) -> None:
        tasks.keep("dlq", self._follow_letters)
        tasks.keep("dlq.marks", self._follow_marks)
        tasks.keep("dlq.count", self._count_for_ever)
        tasks.keep("incidents", self._follow_incidents)
        tasks.keep("watched", self._watched.follow)

    async def _follow_letters(self) -> None:
        newest = await Letters(self._nc, self._site).newest(1)
        after = 0
        if newest:
            after, letter = newest[0].seq, newest[0].letter
            self._letters, self._latest = max(1, self._letters), _latest(letter)
        async for message in follow(self._nc, DLQ, f"dlq.{self._site}.*", after=after):
            try:
                self._latest = _latest(decode_letter(message.data))
            except Unreadable as error:
                self._latest = {
                    "by": message.subject,
                    "reason": error.detail,
                    "at": of_server(message.metadata.timestamp),
                }
            self._letters += 1
            self._changed_at(message)

    async def _follow_marks(self) -> None:
        self._dealt_with.clear()
        async for message in follow(self._nc, DLQ, marks_of(self._site)):
            letter = letter_of(message.subject)
            if state_of(decode_mark(message.data), now()) in {"retried", "dismissed"}:
                self._dealt_with.add(letter)
            else:
                self._dealt_with.discard(letter)
            self._changed_at(message)

    def _changed_at(self, message: Msg) -> None:
        self._position = max(self._position, message.metadata.sequence.stream)
        self._changed("dlq")

    async def _count_for_ever(self) -> None:
        """The stream drops its oldest letters: count again now and then."""
        while True:
            info = await self._nc.jetstream().stream_info(DLQ, subjects_filter=f"dlq.{self._site}.*")
            count = sum((info.state.subjects or {}).values())
            gone = {letter for letter in self._dealt_with if letter < info.state.first_seq}
            if count != self._letters or gone:
                self._letters, self._dealt_with = count, self._dealt_with - gone
                self._changed("dlq")
            await asyncio.sleep(COUNT_SECONDS)

    async def _follow_incidents(self) -> None:
        prefix = f"$KV.{INCIDENTS}.{self._site}."
        self._incidents.clear()
        async for message in follow(self._nc, f"KV_{INCIDENTS}", f"{prefix}>"):
            key = message.subject.removeprefix(prefix)
            if is_deleted(message.headers):
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
    since = known.get("since") or of_server(message.metadata.timestamp).isoformat()
    return {"kind": kind, "what": str(known.get("what") or what), "since": str(since), "detail": _text(known)}


def _text(known: dict[str, Any]) -> str:
    detail = known.get("detail", "")
    return detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
