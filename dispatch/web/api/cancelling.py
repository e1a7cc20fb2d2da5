"""Calling an alarm off. A household that has a PIN is asked for it; its duress PIN is answered just as its PIN is."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from dispatch.cases import Cancel, SignalDuress
from dispatch.clock import now
from dispatch.errors import Forbidden, Refused
from dispatch.roster import Household
from dispatch.roster.pins import PinKind, which_pin
from dispatch.web.api.common import carried_out, visible_case
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Request
from dispatch.web.reading import Sent, Text


class CancelSent(Sent):
    reason: Text = ""
    pin: Annotated[str | None, Field(max_length=32, repr=False, description="where the household has one")] = None


class PinNeeded(Refused):
    """The household has a PIN, and none was sent."""

    type, title, status = "pin-needed", "PIN needed / 需要密码", 403


class WrongPin(Refused):
    """What was sent is not the household's PIN."""

    type, title, status = "wrong-pin", "Wrong PIN / 密码不对", 403


async def cancel(request: Request[CancelSent, None]) -> CaseView:
    """The cancelled case; or what looks just so, when the PIN was the one of duress.

    Raises `PinNeeded`, `WrongPin`, `TooFrequent`; and `Forbidden` for a silent alarm of a household that could not
    say that it is forced to cancel.
    """
    case, body, at = await visible_case(request), request.body, now()
    id_ = request.once("cancel", case.id)
    if request.principal.role != "device":
        return await carried_out(request, case, Cancel(id=id_, at=at, by=request.author, reason=body.reason))
    household = await request.parts.deps.roster.household(case.alarm.household)
    if case.as_pressed.silent and (household is None or household.duress_pin is None):
        raise Forbidden("a silent alarm is called off by the command centre alone: telephone 110", field="case")
    asked = household is not None and household.pin is not None and case.as_pressed.is_open  # else there is no guessing
    said = await _said(request, household) if household is not None and asked else "pin"
    deed = SignalDuress if said == "duress" else Cancel
    return await carried_out(request, case, deed(id=id_, at=at, by=request.author, reason=body.reason))


async def _said(request: Request[CancelSent, None], household: Household) -> PinKind:
    pin, tries = request.body.pin, request.parts.pin_tries
    if pin is None:
        raise PinNeeded("pin: send the household's PIN to cancel; the alarm goes on (请输入密码)", field="pin")
    await tries.take(household.id)
    async with tries.checking:
        said = await asyncio.to_thread(which_pin, household, pin)
    if said is None:
        raise WrongPin("pin: that is not the household's PIN; the alarm goes on (密码不对，警报继续)", field="pin")
    await tries.was_right(household.id)
    return said
