"""What the stories stand on: a phone for everybody in the roster, and the roster as it was before each of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

from msgspec.structs import replace
from nats.aio.msg import Msg

from dispatch.clock import now
from dispatch.events import CASES, answer_subject
from dispatch.identifiers import CaseId, PersonId, PostId
from dispatch.roster import Document, Person, Roster, WebhookPoint, call_list
from dispatch.roster.documents import KINDS, DocumentKind
from tests.live import LiveSystem
from tests.receivers import Receiver, Request, receiving
from tests.standing_still import stop
from tests.village import SECRET
from tests.waiting import until

LEADER_NEXT_DOOR = PersonId("p-0011")
OFFICERS_NEXT_DOOR = frozenset({PersonId("a-0070"), PersonId("a-0071")})
STATION = PersonId("s-0081")
CENTRE = PersonId("z-0083")
"""Who stands at the command centre."""
CENTRE_POST = PostId("centre-mouding")
PATIENCE_SECONDS = 20.0
Heard = Callable[[Callable[[dict[str, Any]], bool]], Awaitable[dict[str, Any]]]


class Phones:
    """A phone for everybody in the county. A ring that no story asked for fails it as one that is missing does."""

    def __init__(self, receiver: Receiver, settles: Callable[[], Awaitable[None]]) -> None:
        self._receiver, self._settles = receiver, settles
        self._here = f"/{token_hex(4)}/"  # whoever had this port before may still be called at it
        self._expected = Counter[PersonId]()
        self._tolerated = Counter[PersonId]()
        self.group = frozenset[PersonId]()
        """The thirteen who are called at once for the demo household."""

    def point(self, person: PersonId) -> WebhookPoint:
        """Where `person` is rung."""
        return WebhookPoint(url=self._receiver.url.replace("/hook", f"{self._here}{person}"), secret=SECRET)

    async def ring(self, *people: Iterable[PersonId]) -> None:
        """Wait until everybody in `people` was rung once more than the story said so far, and see that nobody else is.

        Afterwards nobody is rung by itself before the clock moves.
        """
        for some in people:
            self._expected.update(some)

        async def as_often() -> bool:
            rung = self.rung()
            return all(rung[person] >= often for person, often in self._expected.items())

        try:
            await until(as_often, "every phone to ring", seconds=PATIENCE_SECONDS)
        except AssertionError:
            self.are_as_told()
            raise
        await self.are_silent()

    async def are_silent(self) -> None:
        """See that nobody else is rung, whatever is still under way."""
        await self._settles()
        self.are_as_told()

    def are_as_told(self) -> None:
        """Each phone rang as often as the story said, and no other phone did."""
        rung = self.rung()
        too_often, missing = rung - self._expected - self._tolerated, self._expected - rung
        assert not too_often, f"rang and should not have: {dict(too_often)}"
        assert not missing, f"should have rung and did not: {dict(missing)}"

    def may_ring_once_more(self, people: Iterable[PersonId]) -> None:
        """Something was killed or hung: one ring of each may be there twice."""
        self._tolerated.update(people)

    def rung(self) -> Counter[PersonId]:
        """How often each phone rang that rang."""
        return Counter(person for person, said in self._heard() if said["word"] == "called")

    def rings(self, person: str) -> list[dict[str, object]]:
        """Each time that `person`'s phone was called, oldest first."""
        return [said for said in self.said(person) if said["word"] == "called"]

    def words(self, person: str, case: CaseId) -> list[str]:
        """What each message to `person`'s phone about `case` said, oldest first: called, stood_down or over."""
        return [str(said["word"]) for said in self.said(person) if said["case"] == case]

    def said(self, person: str) -> list[dict[str, object]]:
        """Every message to `person`'s phone, oldest first."""
        return [said for whose, said in self._heard() if whose == person]

    async def hear(self, people: Iterable[PersonId], case: CaseId, *words: str) -> None:
        """Wait until the phone of each of `people` was told just these words about `case`."""

        async def heard() -> bool:
            return all(self.words(person, case) == list(words) for person in people)

        await until(heard, f"phones to be told {words}")

    def requests(self, person: str) -> list[Request]:
        """Every request to `person`'s phone."""
        return [request for request in self._receiver.requests if request.path == f"{self._here}{person}"]

    def _heard(self) -> Iterable[tuple[PersonId, dict[str, object]]]:
        for request in self._receiver.requests:
            if request.path.startswith(self._here):
                yield PersonId(request.path.removeprefix(self._here)), json.loads(request.body)["data"]

    def forget(self) -> None:
        """What was before is another story."""
        for counted in (self._expected, self._tolerated):
            counted.clear()
        self._receiver.requests.clear()


class County:
    """The roster of a running system, in which everybody has a phone."""

    def __init__(self, live: LiveSystem, phones: Phones, documents: Sequence[Document]) -> None:
        self._live, self._phones, self._documents = live, phones, documents
        self._over = set[CaseId]()

    @asynccontextmanager
    async def story(self) -> AsyncIterator[Phones]:
        """Everybody's phone. Afterwards every case is closed, nobody was rung unasked, and the roster is as it was."""
        self._phones.forget()
        called = (await call_list(self._live.system.roster, self._live.household, now())).called
        self._phones.group = frozenset(entry.person.id for entry in called)
        assert len(self._phones.group) == 13
        yield self._phones
        try:
            await self.close_all()
            await self._phones.are_silent()
        finally:
            await self._restore()

    async def close_all(self) -> None:
        """Close every case that is open, as the operator does."""
        info = await self._live.system.nc.jetstream().stream_info(
            CASES, subjects_filter=f"cases.{self._live.system.settings.site}.*.*"
        )
        cases = {CaseId(subject.rpartition(".")[2]) for subject in info.state.subjects or {}}
        for case in cases - self._over:
            if (await self._live.case(case)).is_open:
                await self._live.close(case)
        self._over |= cases

    async def _restore(self) -> None:
        roster = self._live.system.roster
        wanted = {(type(document), document.id): document for document in self._documents}
        for document in await _everything(roster):
            before = wanted.get((type(document), document.id))
            if before is not None and before != document:
                await roster.put(before, by="test")
            if before is None and (entry := await roster.entry(_kind_of(document), document.id)) is not None:
                await roster.delete(entry)


@asynccontextmanager
async def county_of(live: LiveSystem) -> AsyncIterator[County]:
    """Give everybody in the roster a phone, and take it away afterwards."""
    roster = live.system.roster
    async with receiving() as receiver:
        phones = Phones(receiver, live.clock.settles)
        as_it_was = await _everything(roster)
        documents = [
            replace(document, contact_points=(phones.point(document.id),)) if isinstance(document, Person) else document
            for document in as_it_was
        ]
        await asyncio.gather(*(roster.put(one, by="test") for one in documents if isinstance(one, Person)))
        yield County(live, phones, documents)
        await asyncio.gather(*(roster.put(one, by="test") for one in as_it_was if isinstance(one, Person)))


async def _everything(roster: Roster) -> list[Document]:
    return [document for kind in KINDS for document in [one async for one in roster.all(kind)]]


def _kind_of(document: Document) -> DocumentKind:
    return next(kind for kind, type_ in KINDS.items() if isinstance(document, type_))


async def answer(live: LiveSystem, case: CaseId, person: str, what: str) -> None:
    """`person` answers by the link that their phone got."""
    link = await live.one_tap(case, person)
    async with live.system.http.post(link, json={"answer": what}) as answered:
        assert answered.status in {200, 201}


async def desk_shows(live: LiveSystem, kind: str, what: str, *, no_more: bool = False) -> None:
    """Wait until the operator is shown this incident, or no more."""

    async def so() -> bool:
        incidents = (await live.board())["incidents"]
        return ((kind, what) in {(one["kind"], one["what"]) for one in incidents}) is not no_more

    await until(so, f"the desk to show {kind} {what}{' no more' * no_more}", every=0.2)


async def desk_reads(live: LiveSystem, kind: str, what: str, *words: str) -> None:
    """Wait until the operator is shown this incident, and it says all of `words`."""
    shown: list[str] = []

    async def so() -> bool:
        incidents = (await live.board())["incidents"]
        shown[:] = [one["detail"] for one in incidents if (one["kind"], one["what"]) == (kind, what)]
        return any(all(word in said for word in words) for said in shown)

    try:
        await until(so, f"the desk to say {words} of {kind} {what}", every=0.2)
    except AssertionError as error:
        raise AssertionError(f"{error}; it says {shown}") from None


@asynccontextmanager
async def stopped(live: LiveSystem, role: str) -> AsyncIterator[int]:
    """The process of `role` does nothing at all until it is woken, here or by the test."""
    pid = await until(lambda: live.system.pid(role), role)
    stop(pid)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def button_of(live: LiveSystem) -> AsyncIterator[Heard]:
    """What is said to the household's button of cases from now on: gives a function that waits for something."""
    said: list[dict[str, Any]] = []
    before = await live.log.head(live.household)

    async def hear(message: Msg) -> None:
        said.append(json.loads(message.data))

    async def heard(condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            # Of the case of the story before this one the last word may still be on its way.
            feedback = [one for one in said if "case" in one and (before is None or one["case"] != before.case)]
            return next((one for one in feedback if condition(one)), None)

        return await until(found, "the button to hear it")

    subject = answer_subject(live.system.settings.site, live.household)
    subscription = await live.system.nc.subscribe(subject, cb=hear)
    yield heard
    await subscription.unsubscribe()
