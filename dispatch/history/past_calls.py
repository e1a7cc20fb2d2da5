"""A call of an older system, and what it says as events. Pure: nothing is invented where nothing is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

import msgspec

from dispatch.events import (
    AlarmRaised,
    Answer,
    CaseResolved,
    Event,
    Gap,
    Kind,
    PlannedCall,
    ResponderCleared,
    ResponderReplied,
    RespondersCalled,
)
from dispatch.identifiers import NO_HOUSEHOLD, AreaId, CaseId, CommitId, PersonId, PressId, past_case_id, short_hash

BY = "import"


class PastResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A responder on a past call; None for a moment that the older system has not."""

    responder: PersonId
    called_at: datetime | None = None
    en_route_at: datetime | None = None
    on_scene_at: datetime | None = None
    cleared_at: datetime | None = None

    @property
    def has_times(self) -> bool:
        return any((self.called_at, self.en_route_at, self.on_scene_at, self.cleared_at))


class PastCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call as the older system has it; `call` is its id there."""

    call: str
    kind: Kind
    area: AreaId
    raised_at: datetime
    responses: tuple[PastResponse, ...] = ()

    @property
    def case(self) -> CaseId:
        return past_case_id(self.call)

    @property
    def commit(self) -> CommitId:
        """The same for the same facts, in whatever order their rows came."""
        facts = msgspec.structs.replace(self, responses=tuple(sorted(self.responses, key=lambda one: one.responder)))
        return CommitId(f"import:{short_hash(msgspec.json.encode(facts).decode(), length=26)}")


def as_events(call: PastCall, areas: Sequence[AreaId]) -> tuple[Event, ...]:
    """What happened on `call`, in the order of its own times; `areas` are its area and those above, smallest first.

    It is over when the last of those was free again whose clearing is known; where none is, nobody closed it. Of a
    responder without any time it is said that they were listed, as a gap.
    """
    raised = AlarmRaised(
        at=call.raised_at,
        case=call.case,
        household=NO_HOUSEHOLD,
        press=PressId(short_hash("past", call.call, length=26)),
        device=BY,
        kind=call.kind,
        source="import",
        pressed_at=call.raised_at,
        accepted_at=call.raised_at,
        areas=tuple(areas),
    )
    later = [*_calls(call), *_moments(call)]
    cleared = [one.cleared_at for one in call.responses if one.cleared_at is not None]
    if cleared:
        later.append(CaseResolved(at=max(cleared), by=BY, resolution="other"))
    return (raised, *sorted(later, key=lambda event: event.at))


def _calls(call: PastCall) -> Iterator[RespondersCalled]:
    """One step for each moment at which anybody was called."""
    known = sorted((at, one.responder) for one in call.responses if (at := one.called_at) is not None)
    steps = groupby(known, key=lambda pair: pair[0])
    gaps = tuple(
        Gap(what=f"responder:{one.responder}", reason="listed without any time")
        for one in call.responses
        if not one.has_times
    )
    step = -1
    for step, (at, together) in enumerate(steps):
        calls = tuple(PlannedCall(responder=who, reasons=(), channels=()) for _, who in together)
        yield RespondersCalled(at=at, step=step, calls=calls)
    if gaps:
        yield RespondersCalled(at=call.raised_at, step=step + 1, calls=(), gaps=gaps)


def _moments(call: PastCall) -> Iterator[Event]:
    for one in call.responses:
        if one.en_route_at is not None:
            yield _reply(one, "going", one.en_route_at)
        if one.on_scene_at is not None:
            yield _reply(one, "on_scene", one.on_scene_at)
        if one.cleared_at is not None:
            yield ResponderCleared(at=one.cleared_at, responder=one.responder)


def _reply(one: PastResponse, answer: Answer, at: datetime) -> ResponderReplied:
    reply = f"{answer}:{one.responder}"
    return ResponderReplied(at=at, reply=reply, responder=one.responder, answer=answer, via="import")
