"""Raising an alarm over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict
from structlog.contextvars import bound_contextvars
from typing_extensions import TypedDict

from dispatch.clock import now
from dispatch.errors import Forbidden, Malformed, NotFound
from dispatch.events import Kind, Press, believed, drill_of, kind_of, moment_of, silent_of
from dispatch.identifiers import HouseholdId, PressId
from dispatch.web.endpoint import Request
from dispatch.web.reading import Id, Sent


class AlarmSent(Sent):
    """An alarm, which is never refused for its label: what cannot be read in an optional field counts as left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Annotated[Kind, BeforeValidator(kind_of)] = "help"
    silent: Annotated[bool, BeforeValidator(silent_of)] = False
    drill: Annotated[bool, BeforeValidator(drill_of)] = False
    pressed_at: Annotated[datetime | None, BeforeValidator(moment_of)] = None
    household: Annotated[Id | None, BeforeValidator(lambda value: value or None)] = None


class AlarmAccepted(TypedDict):
    press: str
    household: str
    accepted_at: datetime
    duplicate: bool


async def post_alarm(request: Request[AlarmSent, None]) -> AlarmAccepted:
    """202 follows JetStream's acknowledgement, never comes before it."""
    household = await _household(request)
    sent, principal, arrived = request.body, request.principal, now()
    said = [sent.kind, *(["drill"] if sent.drill else []), *(["silent"] if sent.silent else [])]
    by_desk = principal.role == "operator"
    press = Press(
        # The key of another device, or of another emergency, is another press.
        press=PressId(request.once("press", household, principal.token_id, *said, lenient=True)),
        household=household,
        device=request.author if by_desk else principal.token_id,
        source="desk" if by_desk else "http",
        pressed_at=believed(sent.pressed_at, arrived),
        kind=sent.kind,
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
