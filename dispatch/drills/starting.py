"""A drill goes out: first it is written down, then a press for each of its households."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from dispatch.drills.book import DEVICE, Drill, DrillBook
from dispatch.drills.planning import DrillPlan
from dispatch.drills.pressed import Pressed
from dispatch.errors import DispatchError, Refused
from dispatch.events import Gap, Kind, Press, Source
from dispatch.identifiers import HouseholdId, PressId, short_hash

log = structlog.get_logger()

MINUTES, LEAST_MINUTES, MOST_MINUTES = 10, 1, 120
"""How long a drill lasts when nobody says, and its limits. In ten minutes whoever has the telephone near has seen it,
and the standard policy has rung everybody four times at most."""
AT_ONCE = 16


def drill_id(key: str) -> str:
    """The id of the drill that `key` names."""
    return f"d-{short_hash('drill', key).lower()}"


async def start_drill(
    book: DrillBook,
    accept: Callable[[Press], Awaitable[object]],
    plan: DrillPlan,
    *,
    key: str,
    by: str,
    kind: Kind,
    minutes: int,
    escalate: bool,
    source: Source,
    at: datetime,
) -> tuple[Drill, list[Gap]]:
    """Begin the drill and press for each household; the drill, and what could not be pressed, with the reason.

    `key` names it: the same key again is the same drill, and presses that were stored are not stored twice.
    Raises `Refused` for a plan of nobody, `Unavailable` when it could not be written down.
    """
    if not plan.planned:
        raise Refused("nobody can take part: " + "; ".join(f"{gap.what}: {gap.reason}" for gap in plan.left_out[:5]))
    drill = await book.begin(
        Drill(
            id=drill_id(key),
            by=by,
            at=at,
            until=at + timedelta(minutes=minutes),
            kind=kind,
            households=tuple(one.household.id for one in plan.planned),
            areas=plan.areas,
            escalate=escalate,
            left_out=plan.left_out,
        )
    )
    failed = await _press_all(drill, accept, source)
    log.info("drill.begun", drill=drill.id, households=len(drill.households), failed=len(failed), by=by)
    return drill, failed


async def press_the_rest(
    drill: Drill, accept: Callable[[Press], Awaitable[object]], pressed: Pressed, *, source: Source, at: datetime
) -> list[Gap]:
    """Press for those households of a drill begun before for which that was not done; what could not be, and why.

    Who pressed may have been cut off in between. Nobody is pressed for when the drill is over.
    """
    if drill.is_over(at):
        return []

    async def unless_stored(press: Press) -> None:
        if not await pressed.holds(drill, press):
            log.info("drill.pressed_late", drill=drill.id, household=press.household)
            await accept(press)

    return await _press_all(drill, unless_stored, source)


async def _press_all(drill: Drill, accept: Callable[[Press], Awaitable[object]], source: Source) -> list[Gap]:
    """Press for each household of `drill`, some at once; those that could not be pressed."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def press(household: HouseholdId) -> Gap | None:
        pressed = Press(
            press=PressId(drill.id),
            household=household,
            device=f"{DEVICE}{drill.id}",
            source=source,
            pressed_at=drill.at,
            kind=drill.kind,
            drill=True,
        )
        try:
            async with turns:
                await accept(pressed)
        except DispatchError as error:
            return Gap(what=f"household {household}", reason=error.detail)
        return None

    return [gap for gap in await asyncio.gather(*map(press, drill.households)) if gap is not None]
