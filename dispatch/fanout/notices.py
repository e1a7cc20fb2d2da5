"""Word to those who were called that they need not come: it is enough, an operator says so, or the case is over.

Open pages see that on the case itself. Here it goes to the phones that rang, in the place of their ring.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Protocol

import structlog
from nats.aio.msg import Msg

from dispatch.cases import Call, Case, CaseDesk, enough
from dispatch.errors import Unavailable
from dispatch.events import (
    CASES,
    CallOutcome,
    CaseCancelled,
    CaseResolved,
    Channel,
    Commit,
    DuressSignalled,
    RespondersStoodDown,
    commit_of,
    live_cases,
)
from dispatch.fanout.calls import Links, Rings, area_of
from dispatch.fanout.channels import Sent
from dispatch.fanout.channels.sender import Unless, failed
from dispatch.fanout.directory import Directory
from dispatch.fanout.metrics import NOTICES
from dispatch.fanout.need import Need, Needs
from dispatch.fanout.reasons import CLOSED, NOT_WANTED
from dispatch.fanout.ring import Ring, Word, take_back
from dispatch.fanout.told import Told, ToldBook
from dispatch.fanout.turns import Place, Rank, Turns
from dispatch.fanout.work import Job, LeftToOthers, after_first_rings
from dispatch.identifiers import CaseId, PersonId, Site, household_of
from dispatch.roster import Person

log = structlog.get_logger()

IN_HAND = 2048
IN_FLIGHT_SECONDS = 0.5
NOT_TRUE = failed("called again meanwhile, or wanted for another case of the household")
NOT_READ = failed("the log does not say whether it is still true")
TOLD = (RespondersStoodDown, CaseResolved, CaseCancelled, DuressSignalled)
"""After these there is word for somebody; under duress for those who live there, to whom the case is over."""


class Channels(Protocol):
    """Sends a ring to a person over one channel: the fan-out's (`Sending`), or the watchdog's own.

    Raises `Unavailable` for a channel that is left to somebody else.
    """

    async def send(
        self, ring: Ring, channel: Channel, person: Person | None, place: Place, *, unless: Unless
    ) -> Sent: ...


class Notices:
    """Handles one message of the stream `CASES`. Delivered again, it tells those who were not told before, as far as
    is known: who was killed says of nobody that they were.
    """

    def __init__(
        self,
        desk: CaseDesk,
        *,
        directory: Directory,
        links: Links,
        sending: Channels,
        turns: Turns,
        book: ToldBook,
    ) -> None:
        self._desk, self._directory, self._links, self._sending, self._turns = desk, directory, links, sending, turns
        self._needs, self._book = Needs(desk), book
        self._told: OrderedDict[int, Told] = OrderedDict()
        """Who was told of a commit that is not dealt with, so that they are not told again when it comes again.

        Another process may deal with it at last: the oldest are forgotten.
        """

    async def handle(self, message: Msg) -> None:
        """Tell whom the commit concerns. Raises `Unreadable` when it is none, `Unavailable` for "later"."""
        await after_first_rings()
        commit = commit_of(message)
        if not any(isinstance(event, TOLD) for event in commit.events):
            return
        turn = Place(Rank.NOTICE, drill=False, area=household_of(commit.case))
        async with self._turns.at(turn):
            need = await self._needs.of(commit.case)
        if need.case.seq < commit.seq:
            raise Unavailable(f"the log is behind on case {commit.case}")
        told = self._told_of(commit.seq)
        if (message.metadata.num_delivered or 1) > 1:
            told |= await self._book.of(commit.seq)
        before = len(told)
        try:
            await self._tell_all(commit, need, told, turn)
        except BaseException:  # whatever cut it off, somebody else may be the next to deal with it
            if len(told) > before:
                await self._book.leave(commit.seq, told)
            raise

    async def _tell_all(self, commit: Commit, need: Need, told: Told, turn: Place) -> None:
        word, people = whom_to_tell(need.case, commit)
        while True:
            # Who was called again meanwhile, or left out, is told nothing.
            case = need.case
            calls = [c for c in newest_calls(case) if c.responder in people and need.is_true(word, c)]
            rung = {(call.responder, channel): call for call in calls for channel in rang(call)}
            await self._tell(case, word, {key: call for key, call in rung.items() if key not in told}, told)
            if not any(call.owed() for call in calls):
                self._told.pop(commit.seq, None)
                return
            await asyncio.sleep(IN_FLIGHT_SECONDS)  # a ring that is under way is taken back once it has arrived
            async with self._turns.at(turn):
                need = await self._needs.of(commit.case)

    def _told_of(self, seq: int) -> Told:
        told = self._told.setdefault(seq, set())
        if len(self._told) > IN_HAND:
            self._told.popitem(last=False)
        return told

    async def _tell(self, case: Case, word: Word, calls: Mapping[tuple[PersonId, Channel], Call], told: Told) -> None:
        if not calls:
            return
        page = await self._directory.page(case, {person for person, _ in calls})
        rings = Rings(case, page.scene, self._links)
        place, is_enough = Place(Rank.NOTICE, case.drill, area_of(case)), enough(case)

        async def tell(call: Call, channel: Channel) -> None:
            ring = take_back(rings.of(call), word, enough=is_enough)
            person = page.people.get(call.responder)
            sent = await self._sending.send(
                ring, channel, person, place, unless=partial(self._unless, word, call, case.id)
            )
            if sent is NOT_READ:
                raise Unavailable(NOT_READ.reason or "")
            if sent is not NOT_TRUE:
                NOTICES.labels(channel, sent.outcome).inc()
            told.add((call.responder, channel))

        tries = await asyncio.gather(*(tell(call, key[1]) for key, call in calls.items()), return_exceptions=True)
        log.info("notices.sent", case=case.id, word=word, sent=len(calls))
        for error in sorted(filter(None, tries), key=lambda error: isinstance(error, LeftToOthers)):
            # The others are told all the same, and what we can do ourselves is tried soonest.
            raise error

    async def _unless(self, word: Word, call: Call, case: CaseId) -> Sent | None:
        """What has waited for its turn, or is tried again, may be true no more: the log is asked each time."""
        try:
            need = await self._needs.of(case)
        except Unavailable:
            return NOT_READ
        return None if need.is_true(word, call) else NOT_TRUE


def telling(site: Site | str, notices: Notices) -> Job:
    """The work of telling: whoever does it, each commit is dealt with once."""
    return Job(stream=CASES, subject=live_cases(site), name="notices", handler=notices.handle, at_once=IN_HAND)


def whom_to_tell(case: Case, commit: Commit) -> tuple[Word, set[PersonId]]:
    """What to say and to whom: those stood down; at the end everybody who was called, but for those stood down."""
    at_home = case.residents if case.duress is not None else frozenset()
    if any(isinstance(event, DuressSignalled) for event in commit.events):
        known = case.as_pressed
        return "over", (known.called() - known.stood_down) & at_home
    if any(isinstance(event, CaseResolved | CaseCancelled) for event in commit.events):
        return "over", case.called() - case.stood_down - at_home
    stood_down = (event.responders for event in commit.events if isinstance(event, RespondersStoodDown))
    return "stood_down", {person for people in stood_down for person in people} - case.left_out - at_home


def newest_calls(case: Case) -> list[Call]:
    """The newest call of each responder."""
    newest: dict[PersonId, Call] = {}
    for step, person in sorted(case.calls):
        newest[person] = case.calls[step, person]
    return list(newest.values())


def rang(call: Call) -> list[Channel]:
    """The channels, but for open pages, over which this call rang or may have."""
    return [channel for channel, known in call.outcomes.items() if channel != "live" and _may_have_rung(known)]


def _may_have_rung(known: CallOutcome) -> bool:
    """Whether it did not fail, or a worker that was killed had it in hand before it was not wanted any more."""
    return known.outcome != "failed" or (known.attempt > 1 and known.reason in {CLOSED, NOT_WANTED})
