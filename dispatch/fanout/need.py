"""Who is needed at a household, as the log has it at this moment: nobody who is may hear that they need not come."""

from __future__ import annotations

import asyncio

from dispatch.cases import Call, Case, CaseDesk
from dispatch.errors import Unavailable
from dispatch.fanout.ring import Word
from dispatch.identifiers import CaseId, PersonId, household_of


class Need:
    """A case, and what the `others` of its household that are open ask of people. Pure."""

    def __init__(self, case: Case, *others: Case) -> None:
        self.case = case
        wanted = {person for other in others for person in _wanted(case, other)}
        over = {person for person in case.called() if not case.as_known_by(person).is_open}
        self._free: dict[Word, set[PersonId]] = {"stood_down": set(case.stood_down) - wanted, "over": over - wanted}
        self._steps = {person: step for step, person in sorted(case.calls)}

    def is_true(self, word: Word, call: Call) -> bool:
        """Whether `word` may still go in the place of the ring of `call`, over which no newer one was made."""
        return call.responder in self._free.get(word, ()) and self._steps[call.responder] == call.step


class Needs:
    """Reads it from the log, once for all who ask while it is being read."""

    def __init__(self, desk: CaseDesk) -> None:
        self._desk = desk
        self._reading: dict[CaseId, asyncio.Task[Need]] = {}

    async def of(self, case: CaseId) -> Need:
        """What the log has. Raises `Unavailable` when it cannot be read, or a replica that answered is behind."""
        reading = self._reading.get(case)
        if reading is None:
            reading = self._reading[case] = asyncio.create_task(self._read(case))
            reading.add_done_callback(lambda done: self._end(case, done))
        return await asyncio.shield(reading)

    def _end(self, case: CaseId, reading: asyncio.Task[Need]) -> None:
        del self._reading[case]
        if not reading.cancelled():
            reading.exception()  # nobody may be left who asked

    async def _read(self, case_id: CaseId) -> Need:
        head = await self._desk.log.head(household_of(case_id))
        case = await self._desk.load(case_id)
        if head is None:
            return Need(case)
        newest = case if head.case == case_id else await self._desk.load(head.case)
        if newest.seq < head.case_seq:
            raise Unavailable(f"the log is behind on case {head.case}")
        others, one = [newest], newest
        while one.beside is not None:
            one = await self._desk.load(one.beside)
            others.append(one)
        return Need(case, *(other for other in others if other.is_open and other.id != case_id))


def _wanted(case: Case, other: Case) -> set[PersonId]:
    """Those of `case` who are to come for `other`, as they know it; under duress there all but those at home.

    A drill keeps nobody from hearing that what was in earnest is over.
    """
    if other.drill and not case.drill:
        return set()
    people = case.called() if other.duress is not None else other.called() - other.stood_down
    return {p for p in people if (other.as_pressed if p in case.residents else other.as_known_by(p)).is_open}
