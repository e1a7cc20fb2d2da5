"""What an operator does about the escalation of a case: widen, pause, resume, stand down, call one more, hand over."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from dispatch.cases import CallOne, HandOver, Pause, Resume, StandDown, Widen
from dispatch.clock import now
from dispatch.identifiers import PersonId
from dispatch.roster import left_out_of
from dispatch.web.api.common import carried_out, no_person, require_nameable, visible_case
from dispatch.web.by_hand import LONGEST_PAUSE_MINUTES, PAUSE_MINUTES, call_by_name, calls_to_110, require_called
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Request
from dispatch.web.reading import Id, Sent


class NothingSent(Sent):
    pass


class PauseSent(Sent):
    minutes: Annotated[int, Field(ge=1, le=LONGEST_PAUSE_MINUTES)] = PAUSE_MINUTES


class StandDownSent(Sent):
    responders: Annotated[
        tuple[Id, ...], Field(max_length=200, description="whom to tell; nobody named: all who have not answered")
    ] = ()
    rest: Annotated[
        bool,
        Field(strict=True, description="`responders` are all who were left, not chosen by name: steps call them again"),
    ] = False


class CallOneSent(Sent):
    responder: Id
    even_left_out: Annotated[
        bool,
        Field(
            strict=True,
            description="call them although they are left out for this household, or live where nothing may be heard; "
            "under duress who lives there is not called all the same",
        ),
    ] = False


class HandOverSent(Sent):
    again: Annotated[bool, Field(description="hand it over once more, knowing that it was before")] = False


async def widen(request: Request[NothingSent, None]) -> CaseView:
    """Have the next step of the policy taken at once."""
    case = await visible_case(request)
    return await carried_out(request, case, Widen(id=request.once("widen", case.id), at=now(), by=request.author))


async def pause(request: Request[PauseSent, None]) -> CaseView:
    """Hold the escalation back for some minutes; then the next step is taken."""
    case, at = await visible_case(request), now()
    until = at + timedelta(minutes=request.body.minutes)
    return await carried_out(
        request, case, Pause(id=request.once("pause", case.id), at=at, by=request.author, until=until)
    )


async def resume(request: Request[NothingSent, None]) -> CaseView:
    """Take the pause back: a step that became due meanwhile is taken at once."""
    case = await visible_case(request)
    return await carried_out(request, case, Resume(id=request.once("resume", case.id), at=now(), by=request.author))


async def stand_down(request: Request[StandDownSent, None]) -> CaseView:
    """Tell those who were called and have not answered that they need not come."""
    case = await visible_case(request)
    responders = tuple(PersonId(person) for person in request.body.responders)
    require_called(case, responders)
    command = StandDown(
        id=request.once("stand-down", case.id),
        at=now(),
        by=request.author,
        responders=responders,
        rest=request.body.rest,
    )
    return await carried_out(request, case, command)


async def call_one(request: Request[CallOneSent, None]) -> CaseView:
    """Call one more person over every channel they have; also one who was called before."""
    case, wanted = await visible_case(request), PersonId(request.body.responder)
    if wanted not in {call.responder for call in case.calls.values()}:
        await require_nameable(request, wanted, "responder")
    person = (await request.parts.deps.roster.people([wanted])).get(wanted)
    if person is None:
        raise no_person(wanted, "responder")
    household = await request.parts.deps.roster.household(case.alarm.household)
    command = CallOne(
        id=request.once("call", case.id),
        at=now(),
        by=request.author,
        call=call_by_name(person, request.author),
        left_out=left_out_of(household),
        even_left_out=request.body.even_left_out,
    )
    return await carried_out(request, case, command)


async def hand_over(request: Request[HandOverSent, None]) -> CaseView:
    """Hand the case over to 110: whoever stands at its post is called over every channel; the case stays open."""
    case, at = await visible_case(request), now()
    calls, gaps = await calls_to_110(request.parts.deps.roster, case, at)
    command = HandOver(
        id=request.once("hand-over", case.id),
        at=at,
        by=request.author,
        calls=calls,
        gaps=gaps,
        again=request.body.again,
    )
    return await carried_out(request, case, command)
