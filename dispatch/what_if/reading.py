"""The cases of a log, one after another: of however many only the names are kept, and the commits of a few."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from dispatch.errors import Unreadable
from dispatch.events import CASES, AlarmRaised, CaseLog, Commit
from dispatch.events.bulk import ALL, bulk, read
from dispatch.identifiers import CaseId, Site

AT_ONCE = 32
"""Cases that are read together: one by one, each would wait for the way to the server and back."""


async def begun(
    url: str, site: Site, takes: Callable[[AlarmRaised], bool], told: Callable[[int, int], None]
) -> list[CaseId]:
    """The cases of `site` whose beginning `takes` takes, in the order in which they began.

    `told` hears how far the log was read, and how far it is to be. Raises `SetupError`, `Unavailable`.
    """
    found: dict[CaseId, None] = {}
    ours = f"cases.{site}.".encode()
    async with bulk(url, "dispatch what-if") as client:
        end = await CaseLog(client, site).last_sequence()
        if not end:
            return []
        async for raws in read(client, CASES, ALL, after=0, until=end):
            for raw in raws:
                with suppress(Unreadable):
                    if raw.subject.startswith(ours) and _begins(commit := raw.commit(), takes):
                        found[commit.case] = None
            told(raws[-1].seq, end)
    return list(found)


async def begun_alone(log: CaseLog, case: CaseId, takes: Callable[[AlarmRaised], bool]) -> list[CaseId]:
    """`case`, if it began and `takes` takes its beginning. Nothing else of the log is read.

    Raises `Malformed` for what is no case's id, and `Unavailable`.
    """
    return [case] if any(_begins(commit, takes) for commit in await log.load(case)) else []


def _begins(commit: Commit, takes: Callable[[AlarmRaised], bool]) -> bool:
    first = next(iter(commit.events), None)
    return isinstance(first, AlarmRaised) and takes(first)


async def whole(log: CaseLog, cases: Sequence[CaseId]) -> AsyncIterator[list[Commit]]:
    """The commits of each of `cases`, in this order. Raises `Unavailable`."""
    for start in range(0, len(cases), AT_ONCE):
        for commits in await asyncio.gather(*map(log.load, cases[start : start + AT_ONCE])):
            yield commits
