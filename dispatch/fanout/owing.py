"""For the watchdog: which cases have rings without an outcome, or something due, read from the log alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from dispatch.cases import Case, due_at, fold
from dispatch.clock import for_server
from dispatch.errors import Unavailable, Unreadable
from dispatch.events import (
    CASES,
    AlarmRaised,
    CallsRecorded,
    CaseLog,
    Channel,
    Commit,
    commit_of,
    direct_get,
    live_cases,
)
from dispatch.events.stopping import stopping
from dispatch.fanout.batches import in_batches
from dispatch.fanout.rescue import has_waited, is_from_here
from dispatch.identifiers import CaseId

log = structlog.get_logger()

LOOK_BACK = timedelta(hours=24)
"""How far back it reads when it starts. Calls owed for longer than that have had their incident."""
RETRY_SECONDS = 0.5


class _Watched:
    """A case, and since when what is owed or due on it is: reckoned once, and not for every case at every look."""

    def __init__(self, case: Case) -> None:
        self.case = case

    @cached_property
    def owed_since(self) -> datetime | None:
        return min(owed_since(self.case), default=None)

    @cached_property
    def due(self) -> datetime | None:
        return due_at(self.case)


class Owing:
    """Follows the log of a site and keeps the cases that are open, or of which some call has no outcome yet."""

    def __init__(self, nc: Client, cases: CaseLog, *, also: Callable[[Commit], None] = lambda _: None) -> None:
        """`also` is shown every commit."""
        self._nc, self._js, self._log, self._also = nc, nc.jetstream(), cases, also
        self._cases: dict[CaseId, _Watched] = {}
        self._waited: dict[Channel, datetime] = {}
        """When a ring that had waited for long was made over a channel last: there was a queue."""
        self.texts = 0
        """How many text messages the fan-out has handed over, as far as the log was read."""
        self.caught_up = asyncio.Event()
        """Set once the log was read to what was its end at the start; before that nothing is known."""

    async def follow(self, since: datetime) -> None:
        """Follow the log from `since` on, until cancelled."""
        start, end = await self._range(since)
        if start >= end:
            self.caught_up.set()
        async for message in self._log.follow(after=start):
            try:
                commit = commit_of(message)
                self._also(commit)
                await self._see(commit)
            except Unreadable as error:
                log.error("watchdog.unreadable", subject=message.subject, reason=error.detail)
            except Exception:  # whatever is wrong with one commit, it must not end the watch
                log.exception("watchdog.overlooked", subject=message.subject)
            if message.metadata.sequence.stream >= end:
                self.caught_up.set()

    async def overdue(self, before: datetime) -> list[Case]:
        """The cases with calls owed since before `before`, as the log has them now. Raises `Unavailable`."""
        return await self._confirmed(lambda watched: _is_before(watched.owed_since, before))

    def queueing(self, since: datetime) -> frozenset[Channel]:
        """The channels over which the fan-out has made, since `since`, rings that had waited for long."""
        return frozenset(channel for channel, at in self._waited.items() if at > since)

    async def late(self, before: datetime) -> list[Case]:
        """The cases with a step or a next channel that has been due since before `before`, likewise."""
        return await self._confirmed(lambda watched: _is_before(watched.due, before))

    async def _confirmed(self, accused: Callable[[_Watched], bool]) -> list[Case]:
        doubtful = [watched.case for watched in self._cases.values() if accused(watched)]
        await in_batches(self._catch_up, doubtful)
        return [watched.case for watched in self._cases.values() if accused(watched)]

    async def _catch_up(self, case: Case) -> None:
        news = await self._log.load(case.id, after=case.seq)
        if case.id not in self._cases:
            return  # its end came while the log was asked
        try:
            self._keep(case.id, fold(news, case))
        except Exception:  # it stays as it was, and so accused
            log.exception("watchdog.overlooked", case=case.id)

    async def _see(self, commit: Commit) -> None:
        known = self._cases.get(commit.case)
        if known is not None:
            case = fold([commit], known.case)
        elif isinstance(commit.events[0], AlarmRaised):
            case = fold([commit])
        else:
            case = fold(await self._load(commit.case))
        self._keep(commit.case, case)
        if not is_from_here(commit.id):
            self._note_made(commit, case)

    def _note_made(self, commit: Commit, case: Case) -> None:
        for event in commit.events:
            for outcome in event.outcomes if isinstance(event, CallsRecorded) else ():
                self.texts += outcome.channel == "sms" and outcome.outcome == "sent"
                call = case.calls.get((outcome.step, outcome.responder))
                if call is not None and has_waited(call.asked_at(outcome.channel), outcome.at):
                    self._waited[outcome.channel] = outcome.at

    def _keep(self, case_id: CaseId, case: Case) -> None:
        known = self._cases.get(case_id)
        if known is not None and known.case.seq >= case.seq:
            return  # a commit came while the log was asked, and what that answered is older
        if case.is_open or case.owed():
            self._cases[case_id] = _Watched(case)
        else:
            self._cases.pop(case_id, None)

    async def _load(self, case: CaseId) -> list[Commit]:
        while True:
            try:
                return await self._log.load(case)
            except Unavailable as error:
                if stopping():
                    raise
                log.warning("watchdog.waiting", case=case, reason=error.detail)
                await asyncio.sleep(RETRY_SECONDS)

    async def _range(self, since: datetime) -> tuple[int, int]:
        """The sequences between which the log is to be read before anything can be said."""
        while True:
            try:
                end = await self._last()
                return await self._before(since, end), end
            except (NatsError, APIError, TimeoutError, Unavailable) as error:
                if stopping():
                    raise
                log.warning("watchdog.waiting", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _last(self) -> int:
        try:
            message = await self._js.get_last_msg(CASES, live_cases(self._log.site))
        except NotFoundError:
            return 0
        return int(message.seq or 0)

    async def _before(self, since: datetime, end: int) -> int:
        request = {
            "start_time": for_server(since).isoformat(),
            "next_by_subj": live_cases(self._log.site),
            "batch": 1,
        }
        first = await direct_get(self._nc, CASES, request)
        return int((first[0].headers or {})["Nats-Sequence"]) - 1 if first else end


def _is_before(at: datetime | None, before: datetime) -> bool:
    return at is not None and at < before


def owed_since(case: Case) -> list[datetime]:
    """Since when each ring of `case` that has no outcome yet is owed."""
    return [call.asked_at(channel) for call in case.owed() for channel in call.owed()]
