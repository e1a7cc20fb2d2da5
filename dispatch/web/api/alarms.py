"""Raising an alarm over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, WithJsonSchema
from structlog.contextvars import bound_contextvars
from typing_extensions import TypedDict

from dispatch.clock import now
from dispatch.errors import Forbidden, Malformed, NotFound
from dispatch.events import Kind, Press, believed, drill_of, kind_of, moment_of, silent_of
from dispatch.identifiers import HouseholdId, PressId
from dispatch.web.endpoint import Request
from dispatch.web.reading import Id, Sent

SHOWN = 80
"""How much is told again of a kind that is none."""


class AlarmSent(Sent):
    """An alarm, which is never refused for its label: what cannot be read in an optional field counts as left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Annotated[Any, WithJsonSchema(TypeAdapter(Kind).json_schema())] = "help"
    """As it was said; `kind_of` has it as a kind."""
    silent: Annotated[bool, BeforeValidator(silent_of)] = False
    drill: Annotated[bool, BeforeValidator(drill_of)] = False
    pressed_at: Annotated[datetime | None, BeforeValidator(moment_of)] = None
    household: Annotated[Id | None, BeforeValidator(lambda value: value or None)] = None


class AlarmAccepted(TypedDict):
    press: str
    household: str
    accepted_at: datetime
    duplicate: bool
    kind: Kind
    kind_because: str | None
    """Why it was taken as that kind, where another was said."""


async def post_alarm(request: Request[AlarmSent, None]) -> AlarmAccepted:
    """202 follows JetStream's acknowledgement, never comes before it."""
    household = await _household(request)
    sent, principal, arrived = request.body, request.principal, now()
    kind = kind_of(sent.kind)
    said = [kind, *(["drill"] if sent.drill else []), *(["silent"] if sent.silent else [])]
    by_desk = principal.role == "operator"
    press = Press(
        # The key of another device, or of another emergency, is another press.
        press=PressId(request.once("press", household, principal.token_id, *said, lenient=True)),
        household=household,
        device=request.author if by_desk else principal.token_id,
        source="desk" if by_desk else "http",
        pressed_at=believed(sent.pressed_at, arrived),
        kind=kind,
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
        "kind": kind,
        "kind_because": None if sent.kind in (None, "", kind) else _because(sent.kind, kind),
    }


def _because(said: object, kind: Kind) -> str:
    shown, known = ascii(said)[:SHOWN], ", ".join(get_args(Kind))
    return f"未知类型 {shown}，按 {kind} 处理 / unknown kind {shown}, taken as {kind}; there are {known}"


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
