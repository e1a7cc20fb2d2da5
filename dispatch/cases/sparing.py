"""Who lives in the household is not called while nothing may be heard there. Pure."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from dispatch.cases.case import Case
from dispatch.cases.parts import Call
from dispatch.events import Event, ResidentsSpared, RespondersCalled
from dispatch.identifiers import PersonId


def is_spared(case: Case, call: Call) -> bool:
    """Whether `call`, asked for while it was loud, would be heard where nothing may be."""
    return case.silent and call.responder in case.residents and not call.insisted


def sparing(event: RespondersCalled, residents: Collection[PersonId], *, silent: bool) -> list[Event]:
    """`event`; on a `silent` case without the `residents`, and which of them were spared."""
    people = tuple(call.responder for call in event.calls if silent and call.responder in residents)
    if not people:
        return [event]
    calls = tuple(call for call in event.calls if call.responder not in people)
    return [replace(event, calls=calls), ResidentsSpared(at=event.at, step=event.step, people=people)]
