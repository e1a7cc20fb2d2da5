"""Everybody whom a commit says to be called is called at once; it is done when each call has an outcome on the log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Protocol

import msgspec
import structlog
from msgspec.structs import replace
from nats.aio.msg import Msg

from dispatch.cases import OUTCOME_RANK, Call, Case, CaseDesk
from dispatch.clock import Clock, now
from dispatch.errors import DispatchError
from dispatch.events import CallOutcome, Channel, Commit, RespondersCalled, commit_of
from dispatch.fanout.channels import Sender, Sent
from dispatch.fanout.directory import Directory
from dispatch.fanout.metrics import ACCEPTED_TO_SENT, CALL_SECONDS, CALLS
from dispatch.fanout.plan import points_for
from dispatch.fanout.recorder import Recorder, insist
from dispatch.fanout.ring import Ring, Scene, make_ring
from dispatch.identifiers import CaseId, PersonId
from dispatch.roster import ContactPoint, Person, Roster

log = structlog.get_logger()

UNKNOWN = "worker stopped before the outcome was known"
CLOSED = "case closed before the call"
FRESH = timedelta(seconds=0.5)


class Links(Protocol):
    """Makes the signed one-tap link of a responder for a case."""

    def make(self, case: CaseId, responder: PersonId) -> str: ...


class Owed(msgspec.Struct, frozen=True):
    """One ring that is to be made: a call over one channel."""

    call: Call
    channel: Channel

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

    def of(self, call: Call) -> Ring:
        key = (call.step, call.responder)
        if key not in self._made:
            link = self._links.make(self._case.id, call.responder)
            self._made[key] = make_ring(self._case, call, self._scene, link)
        return self._made[key]


class Calls:
    """Handles one message of the stream `CASES`."""

    def __init__(
        self,
        desk: CaseDesk,
        *,
        roster: Roster,
        directory: Directory,
        links: Links,
        senders: Mapping[Channel, Sender],
        clock: Clock = now,
    ) -> None:
        self._desk, self._roster, self._directory = desk, roster, directory
        self._links, self._senders, self._clock = links, senders, clock

    async def handle(self, message: Msg) -> None:
        """Make the calls of the commit in `message`. Raises `Unreadable` when it is none.

        Delivered again, it calls only where no outcome is known, and says first that it was unknown.
        A case that this process has just written is not read again before it rings.
        """
        commit = commit_of(message)
        steps = {event.step for event in commit.events if isinstance(event, RespondersCalled)}
        if not steps:
            return
        with structlog.contextvars.bound_contextvars(case=commit.case):
            case = await insist(lambda: self._now(commit))
            recorder = Recorder(self._desk, commit.case, self._clock)
            if (message.metadata.num_delivered or 1) > 1:
                case = await self._admit(case, steps, recorder)
            await self._make(case, owed_of(case, steps), recorder)

    async def _now(self, commit: Commit) -> Case:
        """The case of `commit`: from memory when it is but just stored, for later somebody may have closed it."""
        fresh = self._clock() - commit.stored_at < FRESH
        return await (self._desk.known(commit.case, commit.seq) if fresh else self._desk.load(commit.case))

    async def _admit(self, case: Case, steps: set[int], recorder: Recorder) -> Case:
        """Say that what became of calls without an outcome is unknown: they may have been made."""
        unknown = [
            owed.came_to("unknown", self._clock, UNKNOWN)
            for owed in owed_of(case, steps)
            if owed.channel not in owed.call.outcomes
        ]
        return await recorder.record(unknown) if unknown else case

    async def _make(self, case: Case, owed: list[Owed], recorder: Recorder) -> None:
        if not owed:
            return
        if not case.is_open:
            await recorder.record([one.came_to("failed", self._clock, CLOSED) for one in owed])
            return
        wanted = {one.call.responder for one in owed}
        page = await insist(lambda: self._directory.page(case, wanted))
        rings = Rings(case, page.scene, self._links)
        await recorder.record_as_they_come(
            self._call(case, one, rings, page.people.get(one.call.responder)) for one in owed
        )
        log.info("calls.made", calls=len(owed))

    async def _call(self, case: Case, owed: Owed, rings: Rings, person: Person | None) -> CallOutcome:
        try:
            ring = rings.of(owed.call)
            with CALL_SECONDS.labels(owed.channel).time():
                sent = await self._send(ring, owed.channel, person)
        except Exception as error:  # one call that cannot be made stops none of the others
            log.exception("call.error", responder=owed.call.responder, channel=owed.channel)
            sent = Sent("failed", f"an error of ours: {type(error).__name__}")
        outcome = owed.came_to(sent.outcome, self._clock, sent.reason)
        _report(case, outcome)
        return outcome

    async def _send(self, ring: Ring, channel: Channel, person: Person | None) -> Sent:
        sender = self._senders[channel]
        if channel == "live":
            return await sender.send(ring, None)
        points = points_for(person, channel)
        if not points:
            return Sent("failed", "no contact point for this channel any more")
        if len(points) == 1:  # at once, not in a task that waits behind every open page
            results = [await sender.send(ring, points[0])]
        else:
            results = await asyncio.gather(*(sender.send(ring, point) for point in points))
        for point, sent in zip(points, results, strict=True):
            if sent.gone:
                await self._retire(ring.responder, point, sent.reason or "gone")
        return max(results, key=lambda sent: OUTCOME_RANK[sent.outcome])

    async def _retire(self, person: PersonId, point: ContactPoint, reason: str) -> None:
        def change(person: Person) -> Person:
            points = (replace(p, retired=reason) if p == point else p for p in person.contact_points)
            return replace(person, contact_points=tuple(points))

        try:
            await self._roster.update_person(person, change, by="fanout")
        except DispatchError as error:  # it will be found gone again next time
            log.warning("point.not_retired", responder=person, reason=error.detail)


def owed_of(case: Case, steps: set[int]) -> list[Owed]:
    """The rings that are still to be made for `steps` of the case; those that leave the house first."""
    owed = [Owed(call, channel) for call in case.owed() if call.step in steps for channel in call.owed()]
    return sorted(owed, key=lambda one: one.channel == "live")


def _report(case: Case, outcome: CallOutcome) -> None:
    CALLS.labels(outcome.channel, outcome.outcome).inc()
    if outcome.outcome != "failed":
        ACCEPTED_TO_SENT.observe((outcome.at - case.alarm.accepted_at).total_seconds())
    elif outcome.channel != "live":
        log.warning("call.failed", responder=outcome.responder, channel=outcome.channel, reason=outcome.reason)
