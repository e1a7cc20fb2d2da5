"""Bringing past calls into the log: all checked first, each call one commit, safe to run twice and to interrupt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path

import msgspec

from dispatch.clock import now
from dispatch.events import CaseLog, Stale
from dispatch.history.past_calls import PastCall, as_events
from dispatch.history.rows import Progress, Read, places_of, read_calls
from dispatch.identifiers import AreaId
from dispatch.roster import Roster
from dispatch.roster.imports.problems import Place, Problem

AT_ONCE = 64
"""Commits on their way at once: the server writes each to disk before it acknowledges it."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import. `written` is None when something is wrong and nothing was to be written."""

    problems: tuple[Problem, ...]
    unused: tuple[str, ...]
    rows: int
    calls: int
    """How many calls were good."""
    written: int | None
    unchanged: int
    backwards: tuple[Problem, ...] = ()
    """Rows in which a later step is before an earlier one. They are taken as they are: `docs/LATENCY.md`."""


async def import_history(
    log: CaseLog,
    roster: Roster,
    path: Path,
    *,
    zone: tzinfo | None,
    dry_run: bool = False,
    partial: bool = False,
    progress: Progress = lambda _stage, _done, _total: None,
) -> Report:
    """Import the calls of the file at `path`; times without an offset are in `zone`.

    Nothing is written when any row is wrong, unless `partial`: then calls go in all whose rows are good. A call that
    is in the log already is left as it is; one that is there with other facts is a problem. With `dry_run` nothing
    is written, and `written` is what would be tried. Raises `Unavailable` when NATS does not answer; what was
    acknowledged until then stays, and running it again does the rest.
    """
    read = await asyncio.to_thread(read_calls, path, zone, now(), progress)
    paths, unknown = await _areas(roster, read)
    problems = (*read.problems, *unknown)
    good = [(place, call) for place, call in read.calls if call.area in paths]
    if (problems and not partial) or dry_run:
        written = None if problems and not partial else len(good)
        return _report(read, problems, good, written, 0)
    keeping = _Keeping(log, paths, progress, total=len(good))
    await keeping.all(good)
    return _report(read, (*problems, *keeping.problems), good, keeping.written, keeping.unchanged)


def _report(
    read: Read, problems: tuple[Problem, ...], good: Sequence[object], written: int | None, same: int
) -> Report:
    return Report(
        problems=problems,
        unused=read.unused,
        rows=read.rows,
        calls=len(good),
        written=written,
        unchanged=same,
        backwards=read.backwards,
    )


async def _areas(roster: Roster, read: Read) -> tuple[dict[AreaId, tuple[AreaId, ...]], list[Problem]]:
    """Each area with those above it, and a problem for each that the roster has not."""
    paths: dict[AreaId, tuple[AreaId, ...]] = {}
    problems: list[Problem] = []
    for area, place in places_of(read.calls).items():
        path = await roster.area_path(area)
        if path:
            paths[area] = tuple(step.id for step in path)
            continue
        advice = "import the areas first: dispatch roster import areas.csv"
        wrong = "is not an area of the roster"
        problems.append(Problem(place=place, header="area", value=area, wrong=wrong, advice=advice))
    return paths, problems


class _Keeping:
    """Storing calls, some at once."""

    def __init__(self, log: CaseLog, paths: dict[AreaId, tuple[AreaId, ...]], progress: Progress, total: int) -> None:
        self._log, self._paths, self._progress, self._total = log, paths, progress, total
        self.written = self.unchanged = 0
        self.problems: list[Problem] = []

    async def all(self, calls: Sequence[tuple[Place, PastCall]]) -> None:
        waiting = iter(calls)
        self._progress("writing", 0, self._total)

        async def worker() -> None:
            for place, call in waiting:
                await self._one(place, call)

        workers = [asyncio.create_task(worker()) for _ in range(AT_ONCE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for one in workers:
                one.cancel()
        self.problems.sort(key=lambda problem: problem.place)

    async def _one(self, place: Place, call: PastCall) -> None:
        events = as_events(call, self._paths[call.area])
        try:
            new = await self._log.keep_past(call.case, events, commit=call.commit)
        except Stale:
            wrong = "was imported before with other facts, and stays as it was"
            advice = "the log is never changed; give a corrected call an id of its own"
            self.problems.append(Problem(place=place, header="call_id", value=call.call, wrong=wrong, advice=advice))
        else:
            self.written += new
            self.unchanged += not new
        self._progress("writing", self.written + self.unchanged + len(self.problems), self._total)
