"""Drills over HTTP: who would be rung, ringing them, and what came of it; and how well each group can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from dispatch.clock import now
from dispatch.drills import (
    Choice,
    Drill,
    DrillPlan,
    Pressed,
    Report,
    drill_id,
    names_in,
    plan_drill,
    press_the_rest,
    read_report,
    sheet,
)
from dispatch.drills import start_drill as begin_drill
from dispatch.drills.planning import groups_within
from dispatch.drills.starting import LEAST_MINUTES, MINUTES, MOST_MINUTES
from dispatch.errors import NotFound, Unavailable
from dispatch.events import Kind
from dispatch.identifiers import AreaId, GroupId, HouseholdId
from dispatch.roster import PROOF_DAYS, bound, reach_of
from dispatch.web.api.common import from_postgres, permitted_area
from dispatch.web.api.escalation import NothingSent
from dispatch.web.drill_views import (
    DrillView,
    GapView,
    GroupReachView,
    PlanView,
    ReportView,
    drill_view,
    gap_views,
    plan_view,
    reach_view,
    report_view,
)
from dispatch.web.endpoint import Request
from dispatch.web.parts import Parts
from dispatch.web.reading import Flag, Id, Sent

SECONDS = 5.0
"""The roster is read through for groups and their households, in the process that takes alarms: never for long."""
SHOWN_DRILLS = 50
MOST_GROUPS = 500

T = TypeVar("T")


class ChoiceSent(Sent):
    groups: Annotated[tuple[Id, ...], Field(max_length=500)] = ()
    area: Id | None = None
    households: Annotated[tuple[Id, ...], Field(max_length=500)] = ()


class DrillSent(ChoiceSent):
    kind: Kind = "help"
    minutes: Annotated[int, Field(ge=LEAST_MINUTES, le=MOST_MINUTES, strict=True)] = MINUTES
    escalate: Annotated[
        Flag, Field(description="also call neighbouring groups and villages, the station and the command centre")
    ] = False


class DrillBegun(TypedDict):
    drill: DrillView
    failed: list[GapView]


class Drills(TypedDict):
    drills: list[DrillView]


class ReachabilityAsked(Sent):
    area: Id | None = None


class Reachability(TypedDict):
    groups: list[GroupReachView]
    proof_days: int


async def plan(request: Request[ChoiceSent, None]) -> PlanView:
    """Who would be rung. Nothing happens yet."""
    return plan_view(await _planned(request))


async def begin(request: Request[DrillSent, None]) -> DrillBegun:
    """Ring everybody of the plan, marked as a drill. The same request again is the same drill and rings the rest."""
    deps, sent, key = request.parts.deps, request.body, request.once("drill")
    if (known := await deps.drills.get(drill_id(key))) is not None:
        pressed = Pressed(deps.nc, deps.settings.site)
        left = await press_the_rest(known, deps.accept, pressed, source="desk", at=now())
        return {"drill": drill_view(known, now()), "failed": gap_views(left)}
    drill, failed = await begin_drill(
        deps.drills,
        deps.accept,
        await _planned(request),
        key=key,
        by=request.author,
        kind=sent.kind,
        minutes=sent.minutes,
        escalate=sent.escalate,
        source="desk",
        at=now(),
    )
    return {"drill": drill_view(drill, now()), "failed": gap_views(failed)}


async def list_drills(request: Request[None, None]) -> Drills:
    """The drills of the operator's area, newest first."""
    found = await request.parts.deps.drills.all()
    return {"drills": [drill_view(drill, now()) for drill in found if _is_theirs(request, drill)][:SHOWN_DRILLS]}


async def report(request: Request[None, None]) -> ReportView:
    """Who was reached over which channel in what time, and who was not and why; from the log."""
    made, names = await _report(request)
    return report_view(made, names, now())


async def report_csv(request: Request[None, None]) -> web.Response:
    """The same as CSV (UTF-8 with a byte order mark)."""
    made, names = await _report(request)
    headers = {"Content-Disposition": f'attachment; filename="drill-{made.drill.id}.csv"'}
    return web.Response(text=sheet(made, names), content_type="text/csv", charset="utf-8", headers=headers)


async def end(request: Request[NothingSent, None]) -> DrillView:
    """End the drill now: its cases are closed within a second or two."""
    return drill_view(await request.parts.deps.drills.end(await _named(request), now()), now())


async def reachability(request: Request[None, ReachabilityAsked]) -> Reachability:
    """The groups of the operator's area, the worst first, each with whom it cannot count on and why."""
    deps, asked = request.parts.deps, request.query.area
    area = await permitted_area(deps.roster, request.principal, AreaId(asked) if asked else None)
    groups = (await _in_time(request.parts, lambda: groups_within(deps.roster, area)))[:MOST_GROUPS]
    ids = {person for group in groups for person in bound(group)}
    people, proofs = await asyncio.gather(deps.roster.people(ids), from_postgres(deps.read_models.proofs(ids)))
    at = now()
    reaches = sorted((reach_of(group, people, proofs, at) for group in groups), key=lambda reach: reach.score)
    return {"groups": [reach_view(reach) for reach in reaches], "proof_days": PROOF_DAYS}


async def _planned(request: Request[Any, None]) -> DrillPlan:
    sent, deps = request.body, request.parts.deps
    choice = Choice(
        groups=tuple(map(GroupId, sent.groups)),
        area=AreaId(sent.area) if sent.area else None,
        households=tuple(map(HouseholdId, sent.households)),
    )
    within = request.principal.area
    return await _in_time(request.parts, lambda: plan_drill(deps.roster, deps.desk, choice, within=within, at=now()))


async def _in_time(parts: Parts, reading: Callable[[], Awaitable[T]]) -> T:
    async def read() -> T:
        async with parts.searching:
            return await reading()

    try:
        return await asyncio.wait_for(read(), SECONDS)
    except TimeoutError:
        raise Unavailable(
            f"the roster is too large to be read through within {SECONDS:g} s: name households, or use `dispatch drill`"
        ) from None


async def _report(request: Request[None, None]) -> tuple[Report, dict[str, str]]:
    deps = request.parts.deps
    made = await read_report(deps.log, await _named(request))
    return made, await names_in(deps.roster, made)


async def _named(request: Request[Any, Any]) -> Drill:
    drill = await request.parts.deps.drills.get(request.path("id"))
    if drill is None or not _is_theirs(request, drill):
        raise NotFound(f"there is no drill {request.path('id')[:80]!r}, or none that you may see", field="id")
    return drill


def _is_theirs(request: Request[Any, Any], drill: Drill) -> bool:
    return request.principal.area is None or request.principal.area in drill.areas
