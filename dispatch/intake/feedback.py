"""Feedback for the one who pressed: how many come, when the first is there, and what happens next.

Follows the log and says on the household's answer subject each time that something of it changed, as small JSON for a
light or a beeper. Never of a silent alarm; under duress what a cancelled case would say. It is a courtesy: what is
late or lost here delays nobody who is called. Several processes may say the same thing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import structlog
from msgspec.structs import replace
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.cases import Case, NextCall, Status, fold, next_call, waits_for
from dispatch.clock import Clock, for_server, now
from dispatch.errors import Unavailable, Unreadable
from dispatch.events import (
    CASES,
    AlarmRaised,
    CaseCancelled,
    CaseLog,
    CaseResolved,
    Commit,
    DuressSignalled,
    answer_subject,
    commit_of,
    direct_get,
    live_cases,
)
from dispatch.events.stopping import stopping
from dispatch.identifiers import CaseId

log = structlog.get_logger()

GATHER_SECONDS = 0.1
"""What changes within it is said in one."""
LOOK_BACK = timedelta(hours=1)
"""After a restart, cases that are open and have changed since are spoken of again."""
RETRY_SECONDS = 1.0

ROSTER_SECONDS = 1.0
"""How long the roster is waited for; then it is said what the case alone says."""

Ahead = Callable[[Case], Awaitable[NextCall | None]]
"""The next step that rings anybody, by the roster; None where none does. Raises `Unavailable`."""

What = Literal["widens", "arrival", "paused", "closing", "handed_over"]


class Next(msgspec.Struct, frozen=True):
    """What happens next: the call `widens` at `at`, or when the first is not there by then (`arrival`), or when the
    operator's pause is over (`paused`); somebody is there and nobody else is called (`closing`); others have it in
    hand (`handed_over`).
    """

    what: What
    at: datetime | None


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What a button hears. `coming` counts those on their way; those on the scene are told by the `status`."""

    case: CaseId
    status: Status
    coming: int
    nearest_eta_at: datetime | None
    next: Next | None
    drill: bool


def feedback_of(case: Case) -> Feedback | None:
    """What may be said of `case`, which has begun, to those who pressed; None for a silent one."""
    case = case.as_pressed
    if case.silent:
        return None
    coming = [reply for reply in case.replies.values() if reply.answer == "going"] if case.is_open else []
    return Feedback(
        case=case.id,
        status=case.status,
        coming=len(coming),
        nearest_eta_at=case.nearest_eta_at if case.is_open else None,
        next=_next(case),
        drill=case.alarm.drill,
    )


def _next(case: Case) -> Next | None:
    wait = waits_for(case)
    if wait is None:
        handed_over = case.closing is not None and case.closing.resolution == "handed_over"
        return Next("handed_over", None) if handed_over else None
    if wait.what == "closing":
        return Next("closing", None)
    if wait.what == "arrival":
        return Next("arrival", wait.until)
    return Next("paused" if wait.because == "pause_over" else "widens", wait.until)


def _rings_by_itself(case: Case) -> bool:
    """Whether the next step calls again those who were called, so that the roster need not be asked whom it rings."""
    known, wait = next_call(case, {}), waits_for(case)
    return known is not None and wait is not None and known.at == wait.until


class ButtonFeedback:
    """Speaks to the buttons of one site."""

    def __init__(self, nc: Client, cases: CaseLog, ahead: Ahead, clock: Clock = now) -> None:
        """A step of which `ahead` says that it rings nobody is not promised, as it is not on the page."""
        self._nc, self._log, self._ahead, self._clock = nc, cases, ahead, clock
        self._cases: dict[CaseId, Case] = {}
        self._said: dict[CaseId, Feedback] = {}
        self._changed: dict[CaseId, None] = {}
        self._caught_up = asyncio.Event()
        self._roster_answers = True
        """Where it did not, it is asked no more in this round: of a storm's many each would wait for all before it."""

    async def run(self) -> None:
        """Speak until cancelled; nothing that goes wrong here ends the process that takes alarms."""
        while not stopping():
            self._cases, self._said, self._changed, self._caught_up = {}, {}, {}, asyncio.Event()
            try:
                start, end = await self._range()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._follow(start, end))
                    group.create_task(self._speak_for_ever())
            except Exception:
                log.exception("feedback.failed")
            await asyncio.sleep(RETRY_SECONDS)

    async def _range(self) -> tuple[int, int]:
        """Behind which position of the log it reads, and up to which nothing is said yet."""
        since: dict[str, object] = {
            "start_time": for_server(self._clock() - LOOK_BACK).isoformat(),
            "next_by_subj": live_cases(self._log.site),
            "batch": 1,
        }
        end = await self._log.last_sequence()  # asked first: nothing that comes meanwhile is passed over
        found = await direct_get(self._nc, CASES, since)
        return (int((found[0].headers or {})["Nats-Sequence"]) - 1 if found else end), end

    async def _follow(self, start: int, end: int) -> None:
        if start >= end:
            self._caught_up.set()
        async for message in self._log.follow(after=start):
            try:
                await self._see(commit_of(message))
            except Unreadable as error:
                log.error("feedback.unreadable", subject=message.subject, reason=error.detail)
            except Exception:  # one case of which nothing can be said must not end it for the others
                log.exception("feedback.overlooked", subject=message.subject)
            # The end may be another site's commit, which does not come here.
            if message.metadata.sequence.stream >= end or not message.metadata.num_pending:
                self._caught_up.set()

    async def _see(self, commit: Commit) -> None:
        known = self._cases.get(commit.case)
        new = isinstance(commit.events[0], AlarmRaised)
        case = fold([commit], known or Case()) if known or new else fold(await self._log.load(commit.case))
        if case.as_pressed.is_open or (self._caught_up.is_set() and (known is not None or _ends(case, commit))):
            self._cases[commit.case] = case
            self._changed[commit.case] = None
        else:
            self._forget(commit.case)
        await asyncio.sleep(0)  # presses are taken by this process too

    async def _speak_for_ever(self) -> None:
        await self._caught_up.wait()
        while not stopping():
            changed, self._changed = self._changed, {}
            self._roster_answers = True
            for case_id in changed:
                await self._speak(self._cases[case_id])
            await asyncio.sleep(GATHER_SECONDS)

    async def _speak(self, case: Case) -> None:
        feedback = await self._by_the_roster(case, feedback_of(case))
        if feedback is not None and feedback != self._said.get(case.id):
            self._said[case.id] = feedback
            try:
                subject = answer_subject(self._log.site, case.alarm.household)
                await self._nc.publish(subject, msgspec.json.encode(feedback))
            except NatsError as error:
                log.warning("feedback.unsaid", case=case.id, error=repr(error))
        if not case.as_pressed.is_open:
            self._forget(case.id)

    async def _by_the_roster(self, case: Case, feedback: Feedback | None) -> Feedback | None:
        """`feedback` without a step that would ring nobody; as it is while the roster does not answer."""
        case = case.as_pressed
        if feedback is None or feedback.next is None or feedback.next.what != "widens" or _rings_by_itself(case):
            return feedback
        if not self._roster_answers:
            return feedback
        try:
            async with asyncio.timeout(ROSTER_SECONDS):
                known = await self._ahead(case)
        except (Unavailable, TimeoutError) as error:
            self._roster_answers = False
            log.warning("feedback.by_the_case", case=case.id, reason=repr(error))
            return feedback
        return replace(feedback, next=Next("widens", known.at) if known is not None else None)

    def _forget(self, case_id: CaseId) -> None:
        self._cases.pop(case_id, None)
        self._said.pop(case_id, None)
        self._changed.pop(case_id, None)


def _ends(case: Case, commit: Commit) -> bool:
    """Whether `commit` is the one with which the case was over for those who pressed."""
    closing = case.as_pressed.closing
    ends = (event.at for event in commit.events if isinstance(event, CaseResolved | CaseCancelled | DuressSignalled))
    return closing is not None and closing.at in ends
