"""What a household trusts the desk with: its PINs, and who is to be left out of the calls for it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from dispatch.cases import LeaveOut
from dispatch.clock import now
from dispatch.errors import NotFound
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.roster import Audit, Household, leave_out, let_in
from dispatch.roster.pins import hashed
from dispatch.web.api.common import no_person, require_nameable
from dispatch.web.endpoint import Request
from dispatch.web.reading import Id, Sent, Text


class PinsSent(Sent):
    pin: Annotated[str | None, Field(max_length=32, repr=False, description="4 to 8 digits; null for none")]
    duress_pin: Annotated[str | None, Field(max_length=32, repr=False, description="another; null for none")]


class PinsSet(TypedDict):
    household: str
    pin: bool
    duress_pin: bool


class LeaveOutSent(Sent):
    person: Id
    reason: Annotated[Text, Field(min_length=1, max_length=500)]


class LeftOutEntry(TypedDict):
    person: str
    name: str
    by: str
    at: datetime
    reason: str


class TrailEntry(LeftOutEntry):
    what: Literal["left_out", "let_in"]


class LeftOutTrail(TypedDict):
    household: str
    left_out: list[LeftOutEntry]
    trail: list[TrailEntry]


async def change_pins(request: Request[PinsSent, None]) -> PinsSet:
    household, sent = await _own_household(request), request.body
    with_pins = await asyncio.to_thread(hashed, sent.pin, sent.duress_pin)
    new = await request.parts.deps.roster.update_household(household.id, with_pins, request.author)
    return {"household": new.id, "pin": new.pin is not None, "duress_pin": new.duress_pin is not None}


async def show_left_out(request: Request[None, None]) -> LeftOutTrail:
    return await _shown(request, await _own_household(request))


async def leave_person_out(request: Request[LeaveOutSent, None]) -> LeftOutTrail:
    household, deps, at = await _own_household(request), request.parts.deps, now()
    person = PersonId(request.body.person)
    await require_nameable(request, person)
    if not await deps.roster.people([person]):
        raise no_person(person)
    by, id_ = request.author, request.once("left-out", household.id, person)
    audit = Audit(deps.nc, deps.settings.site)
    new = await leave_out(deps.roster, audit, household.id, person, by=by, at=at, reason=request.body.reason)
    await deps.desk.leave_out(household.id, LeaveOut(id=id_, at=at, people=(person,), by=by))
    return await _shown(request, new)


async def let_person_in(request: Request[None, None]) -> LeftOutTrail:
    household, deps = await _own_household(request), request.parts.deps
    audit, person = Audit(deps.nc, deps.settings.site), PersonId(request.path("person"))
    new = await let_in(deps.roster, audit, household.id, person, by=request.author, at=now())
    return await _shown(request, new)


async def _shown(request: Request[Any, None], household: Household) -> LeftOutTrail:
    deps = request.parts.deps
    trail = [entry async for entry in Audit(deps.nc, deps.settings.site).read(household.id)]
    people = await deps.roster.people({entry.person for entry in trail} | {one.person for one in household.left_out})

    def name(person: PersonId) -> str:
        return people[person].name if person in people else person

    return {
        "household": household.id,
        "left_out": [
            {"person": one.person, "name": name(one.person), "by": one.by, "at": one.at, "reason": one.reason}
            for one in household.left_out
        ],
        "trail": [
            {
                "what": entry.what,
                "person": entry.person,
                "name": name(entry.person),
                "by": entry.by,
                "at": entry.at,
                "reason": entry.reason,
            }
            for entry in trail
        ],
    }


async def _own_household(request: Request[Any, None]) -> Household:
    """The household in the path. Raises `NotFound` when there is none in the operator's area."""
    id_, area, roster = request.path("id"), request.principal.area, request.parts.deps.roster
    household = await roster.household(HouseholdId(id_))
    path = await roster.area_path(household.area) if household is not None and area is not None else ()
    if household is None or (area is not None and area not in {above.id for above in path}):
        raise NotFound(f"there is no household {id_[:80]!r} in the roster, or none in your area", field="household")
    return household
