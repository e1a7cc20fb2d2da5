"""What several groups of routes need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

from pydantic import Field

from dispatch.access import Principal
from dispatch.cases import Case, Command
from dispatch.errors import Malformed, NotFound, Unavailable
from dispatch.identifiers import AreaId, CaseId, PersonId
from dispatch.roster import Roster, has_to_do_with
from dispatch.web.access import may_see
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Request
from dispatch.web.parts import Parts
from dispatch.web.reading import Sent
from dispatch.web.views import Viewer, known_to, view, viewer_of

READ_SECONDS = 5.0

T = TypeVar("T")


async def visible_case(request: Request[Any, Any]) -> Case:
    """The case in the path, as the log has it.

    Raises `NotFound` when there is none, and just so when it is none of the caller's business.
    """
    case_id = CaseId(request.path("id"))
    case = await case_or_none(request.parts, case_id)
    if case is None or not may_see(request.principal, case):
        raise no_case(case_id)
    return case


async def case_or_none(parts: Parts, case_id: CaseId) -> Case | None:
    """The case, or None when there is none or `case_id` cannot be one."""
    try:
        case = await parts.deps.desk.load(case_id)
    except Malformed:
        return None
    return case if case.raised is not None else None


def no_case(case_id: str) -> NotFound:
    return NotFound(f"there is no case {case_id[:80]!r}, or none that you may see", field="case")


async def carried_out(request: Request[Any, Any], case: Case, command: Command) -> CaseView:
    """The case as the caller may see it after `command`. Raises what deciding raises."""
    handled = await request.parts.deps.desk.handle(case.id, command)
    return await shown(request.parts, handled.case, viewer_of(request.principal))


async def shown(parts: Parts, case: Case, viewer: Viewer) -> CaseView:
    known = known_to(viewer, case)
    return view(known, await parts.directory.names_for([known], aid=viewer.role == "device"), viewer)


async def require_nameable(request: Request[Any, Any], person: PersonId, field: str = "person") -> None:
    """Let an operator name `person` who has to do with their area, or with a case that they may see.

    Raises `NotFound`, in the same words and as late, for anybody else and for nobody; `Unavailable` when that cannot
    be found out in time.
    """
    parts, area = request.parts, request.principal.area
    if area is None:
        return
    if any(call.responder == person for case in parts.board.visible(request.principal) for call in case.calls.values()):
        return
    try:
        async with asyncio.timeout(READ_SECONDS), parts.searching:
            found = await has_to_do_with(parts.deps.roster, person, area)
    except TimeoutError as error:
        raise Unavailable("the roster cannot be read through in time; try again") from error
    if not found:
        raise no_person(person, field)


def no_person(person: PersonId, field: str = "person") -> NotFound:
    return NotFound(
        f"{field}: there is no person {person[:80]!r} in the roster, or none that you may name", field=field
    )


WAIT_SECONDS = 1.0


class FreshAsked(Sent):
    """What whoever has just changed something asks with: the answer is to include that."""

    min_seq: Annotated[
        int,
        Field(
            ge=0,
            le=2**53,
            description="For operators: wait up to 1 s until the answer includes this `seq`",
        ),
    ] = 0


async def caught_up(request: Request[None, Any], known: Case | None = None) -> None:
    """Wait, for a second at most, until the read models include what the request, a `FreshAsked`, asks for.

    Who is no operator is given no `seq` and waits for all of the case that is `known` to them.
    """
    asked: FreshAsked = request.query
    seq = asked.min_seq if known is None or request.principal.role == "operator" else known.seq
    if seq:
        await from_postgres(request.parts.deps.read_models.wait_for(seq, WAIT_SECONDS))


async def from_postgres(reading: Awaitable[T], *, seconds: float = READ_SECONDS) -> T:
    """What the read models say. Raises `Unavailable` that tells what still works without them."""
    try:
        return await asyncio.wait_for(reading, seconds)
    except (Unavailable, TimeoutError) as error:
        raise Unavailable(
            "the database of the read models (Postgres) does not answer: lists, timelines and statistics must wait; "
            "alarms, calls, replies and the live board go on without it",
            needs="postgres",
        ) from error


async def permitted_area(roster: Roster, principal: Principal, asked: AreaId | None) -> AreaId | None:
    """The area to read for an operator who asks for `asked` (None: all of theirs).

    Raises `NotFound` for an area that is not theirs.
    """
    if principal.area is None or asked is None or asked == principal.area:
        return asked or principal.area
    if principal.area not in {area.id for area in await roster.area_path(asked)}:
        raise NotFound(f"there is no area {asked[:80]!r}, or none that you may see", field="area")
    return asked
