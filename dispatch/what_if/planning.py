"""Whom a step would have called: as the fan-out plans it, from the roster as it is today."""

from __future__ import annotations

from datetime import datetime

from dispatch.cases import Case, Plan, Wait
from dispatch.fanout import due_step, targets_of
from dispatch.roster import Roster
from dispatch.what_if.replaying import PlanStep


def steps_from(roster: Roster) -> PlanStep:
    """Plans from `roster`: who stands at a post or leads a group is who does so today. It raises `Unavailable`."""

    async def plan(case: Case, position: int, wait: Wait, at: datetime) -> Plan:
        return await due_step(roster, case, targets_of(case, position, wait.because), at, case.left_out)

    return plan
