"""Reading the read models. What Postgres does not know within two seconds is `Unavailable`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec

from dispatch.errors import Malformed
from dispatch.identifiers import AreaId, CaseId, PersonId, Site
from dispatch.projections.few import has_few
from dispatch.projections.models import all_projections
from dispatch.projections.reader import Reader, Row
from dispatch.projections.remembered import Question, Remembered
from dispatch.projections.reports import Reports, percentiles
from dispatch.projections.sql import load

ANSWER_SECONDS = 2.0
POLL_SECONDS = 0.01
LARGEST_PAGE = 500
Status = Literal["open", "closed", "all", "raised", "under_way", "on_scene", "resolved", "cancelled"]
STATUSES: tuple[str, ...] = get_args(Status)
OPEN_STATUSES = ("raised", "under_way", "on_scene")


class ReadQueries(msgspec.Struct, frozen=True, kw_only=True):
    newest: str
    newest_by_state: str
    open_cases: str
    timeline: str
    calls: str
    latency: str
    case_summary: str
    answering_summary: str
    coming_summary: str
    counted: str
    responses: str
    proofs: str
    positions: str


queries = load(Path(__file__).with_suffix(".sql"), ReadQueries)
queries_of_few = load(Path(__file__).with_suffix(".sql"), ReadQueries, calls="calls_of_few")
"""The same for an area that has few of the cases."""


class ReadModels:
    """The read models of one site. Connects when it is first asked, and again after Postgres was away.

    Every method raises `Unavailable` when Postgres does not answer in time, and `Malformed` for a
    value that it cannot take. Rows are mappings from column to value; times are in UTC.
    """

    def __init__(self, dsn: str, site: Site | str, *, connections: int = 8) -> None:
        self._reader = Reader(dsn, Site(site), connections=connections, seconds=ANSWER_SECONDS)
        self._remembered = Remembered(self._reader)
        self.reports = Reports(dsn, Site(site))
        self._names = {projection.name for projection in all_projections()}

    async def close(self) -> None:
        self._reader.close()
        self.reports.close()

    def forget(self) -> None:
        """Count everything anew that is remembered, when it is asked for next."""
        self._remembered.forget()
        self.reports.remembered.forget()

    async def list_cases(
        self,
        *,
        status: str = "open",
        area: AreaId | None = None,
        kind: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[Sequence[Row], str | None]:
        """A page of the board, newest first: `open`, `closed`, `all`, or the cases in one status.

        The second value is the `before` of the next page, None at the end.
        """
        if status not in STATUSES:
            raise Malformed(f"status {status[:40]!r} is none of {', '.join(STATUSES)}", field="status")
        self._check_limit(limit)
        exact = None if status in {"open", "closed", "all"} else status
        if status == "all":
            rows = await self._reader.fetch(queries.newest, exact, area, kind, before, limit + 1)
        else:
            is_open = status in {"open", *OPEN_STATUSES}
            rows = await self._reader.fetch(queries.newest_by_state, is_open, exact, area, kind, before, limit + 1)
        return rows[:limit], rows[limit - 1]["case_id"] if len(rows) > limit else None

    async def open_cases(self) -> tuple[Sequence[CaseId], int]:
        """The cases that are open, and the log's sequence up to which that is known."""
        [row] = await self._reader.fetch(queries.open_cases)
        return row["ids"], row["seq"]

    async def timeline(self, case: CaseId) -> Sequence[Row]:
        """What happened on the case, oldest first."""
        return await self._reader.fetch(queries.timeline, case)

    async def calls(self, case: CaseId) -> Sequence[Row]:
        """Each call of the case, by step, responder and channel, with its outcome."""
        return await self._reader.fetch(queries.calls, case)

    async def responses(self, case: CaseId) -> Sequence[Row]:
        """Each responder of the case, with the times of their steps and the seconds between."""
        return await self._reader.fetch(queries.responses, case)

    async def proofs(self, people: Collection[PersonId]) -> Mapping[PersonId, datetime]:
        """When each of `people` was last reached, who ever was: their phone said so, or they answered."""
        return {row["responder"]: row["at"] for row in await self._reader.fetch(queries.proofs, list(people))}

    async def latency(
        self,
        *,
        area: AreaId | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> Mapping[str, Any]:
        """`{"cases": […], "summary": {…}}` of cases accepted in [since, until): see docs/LATENCY.md.

        The summary is about all of them, `limit` only about the list; drills are listed and not summed up.
        """
        self._check_limit(limit)

        async def counted() -> Mapping[str, Any]:
            calls = queries_of_few if await has_few(self._reader, area, since, until) else queries
            cases, counts, per_case, answering, coming = await asyncio.gather(
                self._reader.fetch(queries.latency, area, since, until, limit),
                self._reader.fetch(queries.counted, area, since, until),
                self._reader.fetch(queries.case_summary, area, since, until),
                self._reader.fetch(calls.answering_summary, area, since, until),
                self._reader.fetch(calls.coming_summary, area, since, until),
            )
            summary = {**counts[0], "case": _summary(per_case), "responder": _summary([*answering, *coming])}
            return {"cases": cases, "summary": summary}

        if since is None or until is None:
            return await counted()
        question = Question(asked=("latency", area, limit), since=since, until=until, count=counted)
        return cast("Mapping[str, Any]", await self._remembered.answer(question))

    async def positions(self) -> dict[str, int]:
        """The log's sequence that each read model has reached; 0 for one that has not begun."""
        known = {row["projection"]: row["seq"] for row in await self._reader.fetch(queries.positions)}
        return {name: known.get(name, 0) for name in self._names}

    async def wait_for(self, seq: int, timeout: float) -> bool:  # noqa: ASYNC109  (seconds, not a cancellation)
        """Whether every read model reached the log's sequence `seq` within `timeout` seconds."""
        deadline = asyncio.get_running_loop().time() + timeout
        while min((await self.positions()).values()) < seq:
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    def _check_limit(self, limit: int) -> None:
        if not 1 <= limit <= LARGEST_PAGE:
            raise Malformed(f"limit {limit} is not between 1 and {LARGEST_PAGE}", field="limit")


def _summary(rows: Sequence[Row]) -> dict[str, dict[str, float | int | None]]:
    return {
        row["name"]: {
            "count": row["count"],
            "backwards": row["backwards"],
            **percentiles(row["percentiles"]),
        }
        for row in rows
    }
