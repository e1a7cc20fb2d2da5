"""Reading what a report of a drill needs: its cases from the log, its names from the roster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dispatch.drills.book import Drill, case_of
from dispatch.drills.report import Report, report_of
from dispatch.events import CaseLog, Commit
from dispatch.identifiers import HouseholdId
from dispatch.roster import Document, Roster

LOADS_AT_ONCE = 32


async def read_report(log: CaseLog, drill: Drill) -> Report:
    """The report of `drill` as it is now: one read for each household, none of other cases. Raises `Unavailable`."""
    turns = asyncio.Semaphore(LOADS_AT_ONCE)

    async def load(household: HouseholdId) -> Sequence[Commit]:
        async with turns:
            return await log.load(case_of(drill.id, household))

    loaded = await asyncio.gather(*map(load, drill.households))
    return report_of(drill, dict(zip(drill.households, loaded, strict=True)))


async def names_in(roster: Roster, report: Report) -> dict[str, str]:
    """The names of the people, households and groups of a report, by id. Raises `Unavailable`."""
    people, households, groups = await asyncio.gather(
        roster.people({line.responder for line in report.lines}),
        roster.households({line.household for line in report.lines}),
        roster.groups({line.group for line in report.lines if line.group}),
    )
    documents: list[Document] = [*people.values(), *households.values(), *groups.values()]
    return {document.id: document.name for document in documents}
