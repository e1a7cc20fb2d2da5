"""Raising an alarm over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field
from structlog.contextvars import bound_contextvars
from typing_extensions import TypedDict

from dispatch.clock import now
from dispatch.errors import Forbidden, Malformed, NotFound
from dispatch.events import Press, believed, kind_of
from dispatch.identifiers import HouseholdId, PressId
from dispatch.web.endpoint import Request
from dispatch.web.reading import Flag, Id, Sent


def _possible(at: datetime | None) -> datetime | None:
    """A clock that is centuries off says nothing; the alarm counts all the same."""
    return at if at is not None and 2000 <= at.year <= 2999 else None


class AlarmSent(Sent):
    """An alarm. An unknown `kind` counts as `help`, and unknown fields as nothing: an alarm is not refused for that."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Annotated[str, Field(max_length=40)] = "help"
    silent: Flag = False
    drill: Flag = False
    pressed_at: Annotated[datetime | None, AfterValidator(_possible)] = None
    household: Id | None = None


class AlarmAccepted(TypedDict):
    press: str
    household: str
    accepted_at: datetime
    duplicate: bool


async def post_alarm(request: Request[AlarmSent, None]) -> AlarmAccepted:
    """202 follows JetStream's acknowledgement, never comes before it."""
    household = await _household(request)
    sent, principal, arrived = request.body, request.principal, now()
    press = Press(
        press=PressId(request.once("press", household, *(["drill"] if sent.drill else []))),
        household=household,
        device=principal.token_id,
        source="http",
        pressed_at=believed(sent.pressed_at, arrived),
        kind=kind_of(sent.kind),
        silent=sent.silent,
        drill=sent.drill,
    )
    with bound_contextvars(press=press.press):
        accepted = await request.parts.deps.accept(press)
    return {
        "press": accepted.press,
        "household": accepted.household,
        "accepted_at": accepted.accepted_at,
        "duplicate": accepted.duplicate,
    }


async def _household(request: Request[AlarmSent, None]) -> HouseholdId:
    """A device presses for its own household alone, an operator for one that the roster has in their area."""
    principal, named = request.principal, request.body.household
    if principal.role == "device":
        if named not in {None, principal.subject}:
            raise Forbidden(f"household {named!r} is not this device's; leave `household` out", field="household")
        return HouseholdId(principal.subject)
    if named is None:
        raise Malformed("household is missing: say for which household the alarm is", field="household")
    roster = request.parts.deps.roster
    household = await roster.household(HouseholdId(named))
    above = {area.id for area in await roster.area_path(household.area)} if household and principal.area else set()
    if household is None or (principal.area is not None and principal.area not in above):
        raise NotFound(f"there is no household {named!r} in the roster, or none in your area", field="household")
    return household.id
