"""The live board: the cases that are open or were lately, folded in memory from the log itself.

It needs Postgres for nothing but a quicker start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import chain
from typing import Literal, Self

import structlog
from nats.aio.client import Client

from dispatch.access import Principal, revocations
from dispatch.cases import Case, fold
from dispatch.clock import Clock, now
from dispatch.errors import TooFrequent, Unavailable, Unreadable
from dispatch.events import AlarmRaised, CaseLog, Commit, commit_of
from dispatch.identifiers import CaseId
from dispatch.web.access import may_see
from dispatch.web.listener import Listener
from dispatch.web.metrics import BOARD_CASES, BOARD_POSITION
from dispatch.web.position import last_position, position_at
from dispatch.web.tasks import Tasks
from dispatch.web.trouble import Trouble
from dispatch.web.views import known_to, version_for

log = structlog.get_logger()

BoardState = Literal["reading", "stuck", "following", "caught_up"]
OpenCases = Callable[[], Awaitable[tuple[Sequence[CaseId], int]]]

CLOSED_FOR = timedelta(minutes=30)
WITHOUT_POSTGRES = timedelta(hours=48)
POSTGRES_SECONDS = 2.0
POSTGRES_AGAIN_SECONDS = 15.0
PRUNE_SECONDS = 30.0
READY_SECONDS = 10.0
LOADS_AT_ONCE = 32
PAGES_PER_IDENTITY = 12


class LiveBoard:
    """One per `serve` process. `position` is the log's sequence up to which it knows everything."""

    def __init__(self, nc: Client, case_log: CaseLog, open_cases: OpenCases, *, clock: Clock = now) -> None:
        self._nc, self._log, self._open_cases, self._clock = nc, case_log, open_cases, clock
        self.trouble = Trouble(nc, case_log.site, self._tell_news)
        self.cases: dict[CaseId, Case] = {}
        self.position = 0
        self._complete_after = 0
        self._listeners: defaultdict[str, dict[str, list[Listener]]] = defaultdict(dict)
        """By role and subject: of thousands of open pages a commit concerns few."""
        self._ready, self._moved = asyncio.Event(), asyncio.Event()
        self._tasks = Tasks()

    async def __aenter__(self) -> Self:
        self._tasks.keep("board", self._follow)
        self._tasks.keep("board.prune", self._prune_for_ever)
        self._tasks.keep("board.revoked", self._close_revoked)
        self.trouble.start(self._tasks)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.stop()

    async def ready(self) -> None:
        """Return when the board has caught up with the log. Raises `Unavailable` when that takes too long."""
        try:
            await asyncio.wait_for(self._ready.wait(), READY_SECONDS)
        except TimeoutError:
            raise Unavailable("the live board is still reading the log; try again in a few seconds") from None

    async def state(self, patience: float) -> BoardState:
        """How the board stands to the log as it is now.

        Still `reading` what was there at the start, `stuck` behind it for `patience` seconds, `following` some way
        behind, or `caught_up`. Raises `Unavailable` when the log does not answer.
        """
        if not self._ready.is_set():
            return "reading"
        before = self.position
        self._moved.clear()
        newest = await last_position(self._nc, self._log.site)
        if before == self.position < newest:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), patience)
        if self.position >= newest:
            return "caught_up"
        return "following" if self.position > before else "stuck"

    @contextlib.contextmanager
    def listening(self, principal: Principal) -> Iterator[Listener]:
        """A listener that is told of every change from now on. Raises `TooFrequent` for one page too many."""
        of_role = self._listeners[principal.role]
        pages = of_role.setdefault(principal.subject, [])
        if len(pages) >= PAGES_PER_IDENTITY:
            raise TooFrequent(
                f"{PAGES_PER_IDENTITY} pages of {principal.role}:{principal.subject} are open already; close some",
                retry_after=10,
            )
        listener = Listener(principal)
        pages.append(listener)
        try:
            yield listener
        finally:
            pages.remove(listener)
            if not pages:
                del of_role[principal.subject]

    def close_pages(self, token_id: str | None = None) -> None:
        """End the streams of the pages of one token; without, of all, as the process is about to stop."""
        for role in list(self._listeners):
            for listener in self._of_role(role):
                if token_id in {None, listener.principal.token_id}:
                    listener.close()

    async def _close_revoked(self) -> None:
        async for token_id in revocations(self._nc, self._log.site):
            self.close_pages(token_id)

    def pages_of(self, principal_role: str, subject: str) -> list[Listener]:
        """The open pages of one identity."""
        return list(self._listeners[principal_role].get(subject, ()))

    def visible(self, principal: Principal, *, after: int = 0) -> list[Case]:
        """The cases that are the principal's business and changed after position `after`, oldest change first."""
        known = (known_to(principal, case) for case in self.cases.values())
        seen = [
            case for case in known if case.seq > after and may_see(principal, case) and not self._is_forgotten(case)
        ]
        return sorted(seen, key=lambda case: case.seq)

    def remembers(self, position: int) -> bool:
        """Whether nothing that changed after `position` has been forgotten here."""
        return self._complete_after <= position <= self.position

    async def _follow(self) -> None:
        position = await self._begin()
        # What was closed before that is not known here: who heard of the log before it needs a snapshot.
        self._complete_after = max(self._complete_after, position)
        target = await last_position(self._nc, self._log.site)
        self._advance(position, target)
        async for message in self._log.follow(after=position):
            seq = message.metadata.sequence.stream
            try:
                await self._take(commit_of(message))
            except Unreadable as error:
                log.error("board.unreadable", seq=seq, reason=error.detail)
            except Exception:  # whatever is wrong with one commit, everybody else's must be shown
                log.exception("board.overlooked", seq=seq)
            self._advance(seq, target)

    def _advance(self, position: int, target: int) -> None:
        self.position = max(self.position, position)
        self._moved.set()
        BOARD_POSITION.set(self.position)
        BOARD_CASES.set(len(self.cases))
        if position >= target and not self._ready.is_set():
            self._prune()
            self._ready.set()
            log.info("board.ready", position=self.position, cases=len(self.cases))

    async def _begin(self) -> int:
        """Take up what is open, and give the position to follow from."""
        lately = await position_at(self._nc, self._log.site, self._clock() - CLOSED_FOR)
        try:
            return min(await self._adopt_open_cases(), lately)
        except (Unavailable, TimeoutError) as error:
            log.warning("board.without_postgres", reason=str(error))
        self._tasks.once("board.adopt", self._adopt_later)
        return await position_at(self._nc, self._log.site, self._clock() - WITHOUT_POSTGRES)

    async def _adopt_open_cases(self) -> int:
        async with asyncio.timeout(POSTGRES_SECONDS):
            ids, checkpoint = await self._open_cases()
        unknown = [case_id for case_id in ids if case_id not in self.cases]
        for start in range(0, len(unknown), LOADS_AT_ONCE):
            loads = (self._log.load(case_id) for case_id in unknown[start : start + LOADS_AT_ONCE])
            for commits in await asyncio.gather(*loads):
                self._put(_folded(commits))
        return checkpoint

    async def _adopt_later(self) -> None:
        """A case that is open for longer than the log was read back: Postgres knows it, once it answers."""
        while True:
            await asyncio.sleep(POSTGRES_AGAIN_SECONDS)
            with contextlib.suppress(Unavailable, TimeoutError):
                await self._adopt_open_cases()
                return

    async def _take(self, commit: Commit) -> None:
        known = self.cases.get(commit.case)
        if known is None and not isinstance(commit.events[0], AlarmRaised):
            known = await self._load(commit.case)
        self._put(_folded([commit], known))

    async def _load(self, case_id: CaseId) -> Case:
        while True:
            try:
                return _folded(await self._log.load(case_id))
            except Unavailable as error:
                log.warning("board.waiting", case=case_id, reason=error.detail)
                await asyncio.sleep(0.5)

    def _put(self, case: Case) -> None:
        if case.raised is None:
            return
        known = self.cases.get(case.id)
        if known is not None and known.seq >= case.seq:
            return
        self.cases[case.id] = case
        for listener in self._interested(case, known):
            listener.tell(case.id)
        newly = case.left_out - (known.left_out if known is not None else frozenset())
        for person in newly & {call.responder for call in case.calls.values()}:
            for listener in self.pages_of("responder", person):
                listener.tell_news("taken_back")

    def _interested(self, case: Case, known: Case | None) -> Iterator[Listener]:
        yield from (one for one in self._of_role("operator") if may_see(one.principal, case))
        at_home = self.pages_of("device", case.alarm.household)
        called = (page for person in case.called() for page in self.pages_of("responder", person))
        yield from (one for one in chain(at_home, called) if self._is_news(one.principal, case, known))

    def _is_news(self, who: Principal, case: Case, known: Case | None) -> bool:
        """Whether `who` is shown anything else than before. Under duress nothing happens any more to those at home."""
        if known is None:
            return not self._is_forgotten(known_to(who, case))
        return version_for(who, known) != version_for(who, case)

    def _tell_news(self, what: str) -> None:
        for listener in self._of_role("operator"):
            listener.tell_news("dlq" if what == "dlq" else "incidents")

    def _of_role(self, role: str) -> list[Listener]:
        return [listener for pages in self._listeners[role].values() for listener in pages]

    async def _prune_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            self._prune()

    def _prune(self) -> None:
        """Forget what was closed long ago; whoever was away since before its closing needs a new snapshot."""
        for case in [case for case in self.cases.values() if self._is_forgotten(case)]:
            self._complete_after = max(self._complete_after, case.seq)
            del self.cases[case.id]

    def _is_forgotten(self, case: Case) -> bool:
        return case.closing is not None and case.closing.at < self._clock() - CLOSED_FOR


def _folded(commits: Iterable[Commit], case: Case | None = None) -> Case:
    """`case` after `commits`, but for those that cannot be folded: what else is known of it must be shown."""
    case = case or Case()
    for commit in commits:
        try:
            case = fold([commit], case)
        except Exception:  # whatever is wrong with it
            log.exception("board.unfoldable", case=commit.case, seq=commit.seq)
    return case
