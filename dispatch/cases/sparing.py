"""Who lives in the household is not called while nothing may be heard there. Pure."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from dispatch.events import Event, ResidentsSpared, RespondersCalled
from dispatch.identifiers import PersonId


def sparing(event: RespondersCalled, residents: Collection[PersonId], *, silent: bool) -> list[Event]:
    """`event`; on a `silent` case without the `residents`, and which of them were spared."""
    people = tuple(call.responder for call in event.calls if silent and call.responder in residents)
    if not people:
        return [event]
    calls = tuple(call for call in event.calls if call.responder not in people)
    return [replace(event, calls=calls), ResidentsSpared(at=event.at, step=event.step, people=people)]
