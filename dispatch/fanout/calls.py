"""Everybody whom a commit says to be called is called at once; it is done when each call has an outcome on the log."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache, partial
from time import perf_counter
from typing import Literal, Protocol, get_args

import msgspec
import structlog
from nats.aio.msg import Msg

from dispatch.cases import OUTCOME_RANK, Call, Case, CaseDesk, is_spared, still_wanted
from dispatch.clock import Clock, now
from dispatch.events import CallOutcome, Channel, Commit, FellBack, RespondersCalled, Role, commit_of
from dispatch.fanout.channels import Sent
from dispatch.fanout.channels.sender import failed
from dispatch.fanout.directory import Directory
from dispatch.fanout.metrics import ACCEPTED_TO_SENT, CALL_SECONDS, CALLS
from dispatch.fanout.reasons import AT_HOME, CLOSED, MADE_ELSEWHERE, NOT_WANTED, why_not
from dispatch.fanout.recorder import Recorder, insist
from dispatch.fanout.ring import Ring, Scene, for_another, make_ring
from dispatch.fanout.sending import Sending
from dispatch.fanout.turns import Place, Rank
from dispatch.identifiers import CaseId, PersonId
from dispatch.roster import Person

log = structlog.get_logger()

UNKNOWN = "worker stopped before the outcome was known"
FRESH = timedelta(seconds=0.5)
_calls = cache(CALLS.labels)
_SECONDS = {channel: CALL_SECONDS.labels(channel) for channel in get_args(Channel)}


RingKey = tuple[int, PersonId, Channel]
"""Step, responder and channel."""


class Links(Protocol):
    """Makes the signed one-tap link of a responder for a case."""

    def make(self, case: CaseId, responder: PersonId) -> str: ...


class Owed(msgspec.Struct, frozen=True):
    """One ring that is to be made: a call over one channel."""

    call: Call
    channel: Channel

    @property
    def follows(self) -> bool:
        """Whether it is a next channel, that rings because others did not reach them."""
        return self.channel in self.call.fell_back

    @property
    def attempt(self) -> int:
        before = self.call.outcomes.get(self.channel)
        return before.attempt + 1 if before else 1

    def came_to(
        self, outcome: Literal["unknown", "failed", "sent", "delivered"], clock: Clock, reason: str | None = None
    ) -> CallOutcome:
        return CallOutcome(
            step=self.call.step,
            responder=self.call.responder,
            channel=self.channel,
            outcome=outcome,
            at=clock(),
            reason=reason,
            attempt=self.attempt,
        )


class Rings:
    """The rings of one case, each made once for all channels."""

    def __init__(self, case: Case, scene: Scene, links: Links) -> None:
        self._case, self._scene, self._links = case, scene, links
        self._made: dict[tuple[int, PersonId], Ring] = {}
        self._alike: dict[tuple[Role, bool], Ring] = {}
        """One for each role and for whether they live in the household: all others differ by whom they are for."""

    def of(self, call: Call) -> Ring:
        key = (call.step, call.responder)
        if key not in self._made:
            self._made[key] = self._make(call)
        return self._made[key]

    def _make(self, call: Call) -> Ring:
        link = self._links.make(self._case.id, call.responder)
        kind = (call.reasons[0].role, call.responder in self._case.residents)
        if (alike := self._alike.get(kind)) is not None:
            return for_another(alike, call, link)
        ring = self._alike[kind] = make_ring(self._case, call, self._scene, link)
        return ring


class Calls:
    """Handles one message of the stream `CASES`."""

    def __init__(
        self,
        desk: CaseDesk,
        *,
        directory: Directory,
        links: Links,
        sending: Sending,
        clock: Clock = now,
    ) -> None:
        self._desk, self._directory = desk, directory
        self._links, self._sending, self._clock = links, sending, clock

    async def handle(self, message: Msg, *, only: Channel | None = None) -> None:
        """Make the calls of the commit in `message`, or those over one channel. Raises `Unreadable` when it is none.

        Delivered again, it calls only where no outcome is known, and says first that it was unknown.
        A case that this process has just written is not read again before it rings.
        """
        commit = commit_of(message)
        asked = rings_of(commit)
        if only is not None:
            asked = {ring for ring in asked if ring[2] == only}
        if not asked:
            return
        with structlog.contextvars.bound_contextvars(case=commit.case):
            case = await insist(lambda: self._now(commit))
            recorder = Recorder(self._desk, commit.case, self._clock)
            if (message.metadata.num_delivered or 1) > 1:
                case = await self._admit(case, asked, recorder)
            await self._make(case, owed_of(case, asked), recorder)

    async def _now(self, commit: Commit) -> Case:
        """The case of `commit`: from memory when it is but just stored, for later somebody may have closed it."""
        fresh = self._clock() - commit.stored_at < FRESH
        return await (self._desk.known(commit.case, commit.seq) if fresh else self._desk.load(commit.case))

    async def _admit(self, case: Case, asked: set[RingKey], recorder: Recorder) -> Case:
        """Say that what became of calls without an outcome is unknown: they may have been made."""
        unknown = [
            owed.came_to("unknown", self._clock, UNKNOWN)
            for owed in owed_of(case, asked)
            if owed.channel not in owed.call.outcomes
        ]
        return await recorder.record(unknown) if unknown else case

    async def _make(self, case: Case, owed: list[Owed], recorder: Recorder) -> None:
        if not owed:
            return
        if not case.is_open:
            await recorder.record([one.came_to("failed", self._clock, CLOSED) for one in owed])
            return
        spared = [(one, reason) for one in owed if (reason := _why_spared(case, one)) is not None]
        if spared:
            await recorder.record([one.came_to("failed", self._clock, reason) for one, reason in spared])
            owed = [one for one in owed if _why_spared(case, one) is None]
            if not owed:
                return
        wanted = {one.call.responder for one in owed}
        page = await insist(lambda: self._directory.page(case, wanted))
        rings = Rings(case, page.scene, self._links)
        calls = [
            self._call(case, one, rings, page.people.get(one.call.responder)) for one in owed if one.channel != "live"
        ]
        async with self._pages(case, [one for one in owed if one.channel == "live"], rings) as pages:
            outcomes = await recorder.record_as_they_come([*calls, *pages])
        _tell(outcomes)

    @asynccontextmanager
    async def _pages(
        self, case: Case, owed: Sequence[Owed], rings: Rings
    ) -> AsyncIterator[list[asyncio.Future[CallOutcome]]]:
        """While this lasts the open pages of `owed` are rung; what each call came to, as soon as that is known."""
        loop = asyncio.get_running_loop()
        answers = {(one.call.step, one.call.responder): (one, loop.create_future()) for one in owed}
        asking = asyncio.create_task(self._ask_pages(case, answers, rings))
        try:
            yield [answer for _, answer in answers.values()]
        finally:
            asking.cancel()

    async def _ask_pages(
        self, case: Case, answers: Mapping[tuple[int, PersonId], tuple[Owed, asyncio.Future[CallOutcome]]], rings: Rings
    ) -> None:
        await asyncio.sleep(0)  # what leaves the house is written first, once everybody who is ready has run
        began = perf_counter()

        def heard(key: tuple[int, PersonId], sent: Sent) -> None:
            owed, answer = answers[key]
            if not answer.done():
                outcome = owed.came_to(sent.outcome, self._clock, sent.reason)
                answer.set_result(outcome)
                _SECONDS["live"].observe(perf_counter() - began)
                _count(case, outcome)

        made: list[Ring] = []
        for key, (owed, _) in answers.items():
            try:
                made.append(rings.of(owed.call))
            except Exception as error:  # noqa: BLE001  (one call that cannot be made stops none of the others)
                heard(key, _mistake(owed, error))
        try:
            await self._sending.ring_pages(made, lambda ring, sent: heard((ring.step, ring.responder), sent))
        except Exception as error:  # noqa: BLE001  (nor may a call be left without an outcome)
            for key, (owed, _) in answers.items():
                heard(key, _mistake(owed, error))

    async def _call(self, case: Case, owed: Owed, rings: Rings, person: Person | None) -> CallOutcome:
        try:
            ring = rings.of(owed.call)
            with _SECONDS[owed.channel].time():
                sent = await self._sending.send(
                    ring,
                    owed.channel,
                    person,
                    place_of(case, owed.call),
                    another=bool(owed.call.then),
                    unless=partial(self._why_not, case.id, owed),
                )
        except Exception as error:  # noqa: BLE001  (one call that cannot be made stops none of the others)
            sent = _mistake(owed, error)
        if sent.reason == MADE_ELSEWHERE and (made := self._made(case.id, owed)) is not None:
            return made
        outcome = owed.came_to(sent.outcome, self._clock, sent.reason)
        _count(case, outcome)
        return outcome

    async def _why_not(self, case_id: CaseId, owed: Owed) -> Sent | None:
        """Why a ring that has waited for its turn is not to be made any more, as far as this process knows."""
        case = self._desk.remembered(case_id)
        if case is None:
            return None
        reason = why_not(case, owed.call) if self._made(case_id, owed) is None else MADE_ELSEWHERE
        return failed(reason) if reason is not None else None

    def _made(self, case_id: CaseId, owed: Owed) -> CallOutcome | None:
        """What came of the ring where another process has made it; where that failed, it is still ours to make."""
        case = self._desk.remembered(case_id)
        call = case.calls.get((owed.call.step, owed.call.responder)) if case is not None else None
        known = call.outcomes.get(owed.channel) if call is not None else None
        return known if known is not None and OUTCOME_RANK[known.outcome] >= OUTCOME_RANK["sent"] else None


def _mistake(owed: Owed, error: Exception) -> Sent:
    log.error("call.error", responder=owed.call.responder, channel=owed.channel, exc_info=error)
    return failed(f"an error of ours: {type(error).__name__}")


def _why_spared(case: Case, owed: Owed) -> str | None:
    """Why a ring is not to be made: at home, where nothing may be heard, or a next channel that is not needed."""
    person = owed.call.responder
    if is_spared(case, owed.call) or not case.as_known_by(person).is_open:
        return AT_HOME
    return NOT_WANTED if owed.follows and not still_wanted(case, person) else None


def rings_of(commit: Commit) -> set[RingKey]:
    """The rings that `commit` asks for."""
    asked: set[RingKey] = set()
    for event in commit.events:
        if isinstance(event, RespondersCalled):
            asked |= {(event.step, call.responder, channel) for call in event.calls for channel in call.channels}
        elif isinstance(event, FellBack):
            asked |= {(call.step, call.responder, call.channel) for call in event.calls}
    return asked


def owed_of(case: Case, asked: set[RingKey]) -> list[Owed]:
    """The rings of `asked` that are still to be made for the case."""
    return [
        Owed(call, channel)
        for call in case.owed()
        for channel in call.owed()
        if (call.step, call.responder, channel) in asked
    ]


def place_of(case: Case, call: Call) -> Place:
    """Whom the rings of `call` let pass, and whom they do not."""
    if call.step == 0 or _was_drill(case, call.step - 1):
        rank = Rank.FIRST
    else:
        before = any((step, call.responder) in case.calls for step in range(call.step))
        rank = Rank.REPEATED if before else Rank.WIDENED
    return Place(rank, case.drill, area_of(case))


def _was_drill(case: Case, step: int) -> bool:
    """Whether the case was but a drill in `step`, and has become real since."""
    real_since = case.duress.at if case.alarm.drill and case.duress is not None else None
    return real_since is not None and any(
        call.step == step and call.called_at < real_since for call in case.calls.values()
    )


def area_of(case: Case) -> str:
    """The smallest area of `case`; its household where the roster knows none."""
    return case.alarm.areas[0] if case.alarm.areas else case.alarm.household


def _count(case: Case, outcome: CallOutcome) -> None:
    _calls(outcome.channel, outcome.outcome).inc()
    if outcome.outcome != "failed" and not case.alarm.drill:
        ACCEPTED_TO_SENT.observe((outcome.at - case.alarm.accepted_at).total_seconds())


def _tell(outcomes: Sequence[CallOutcome]) -> None:
    """One line for all calls of a commit, for a storm makes many; that a page is not open is no news."""
    failed: defaultdict[str, list[PersonId]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.outcome == "failed" and outcome.channel != "live":
            failed[f"{outcome.channel}: {outcome.reason}"].append(outcome.responder)
    if failed:
        log.warning("calls.made", calls=len(outcomes), failed=dict(failed))
    else:
        log.info("calls.made", calls=len(outcomes))
