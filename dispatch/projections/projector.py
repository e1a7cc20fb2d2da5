"""Keeps the read models at the end of the log, whatever becomes of Postgres, of NATS, or of one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from dispatch.errors import DispatchError
from dispatch.events import CASES, CaseLog, all_cases
from dispatch.events.stopping import end_if_stopping
from dispatch.projections.checkpoints import LogReplaced, any_begun
from dispatch.projections.incidents import Incidents
from dispatch.projections.lane import BATCH, Apart, Lane
from dispatch.projections.metrics import FAILURES, LAG_COMMITS, LAG_SECONDS, RUNNING
from dispatch.projections.models import all_projections
from dispatch.projections.projection import Projection
from dispatch.projections.rebuild import rebuild

log = structlog.get_logger()

SHORTEST_PAUSE, AWAY_PAUSE, FAILED_PAUSE = 0.05, 1.0, 10.0
"""Seconds between two tries: the first, the longest while a server is away, the longest of a read model that fails."""
LAG_EVERY = 1.0

WORTH_A_REBUILD = 20_000
"""Sequences of the log: a read model that has read none of so many is built as `dispatch rebuild` would."""

ADVICE: Final = "run `dispatch rebuild` to read the whole log again; until then this read model stands still"


class Projector:
    """The read models of one site. One or several may run at once on the same database."""

    def __init__(
        self,
        nc: Client,
        case_log: CaseLog,
        dsn: str,
        *,
        projections: Sequence[Projection] | None = None,
        batch: int = BATCH,
        nats_url: str | None = None,
    ) -> None:
        """With `nats_url` read models that were emptied, by a migration or with their database, are built in bulk."""
        self._nc, self._log, self._dsn, self._batch = nc, case_log, dsn, batch
        self._projections = tuple(all_projections() if projections is None else projections)
        self._nats_url = nats_url
        self._positions: dict[str, int] = {}
        self._stopped: set[str] = set()
        self._at_end: dict[str, float] = {projection.name: monotonic() for projection in self._projections}
        self._incidents = Incidents(nc, case_log.site)

    async def run(self) -> None:
        """Project until cancelled. Raises nothing: what fails is logged, counted and tried again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure())
            tasks.create_task(self._keep(self._projections, tasks))

    async def _keep(self, projections: tuple[Projection, ...], tasks: asyncio.TaskGroup) -> None:
        """Run a lane of `projections`, again and again; one that cannot go with the others gets its own."""
        pause = SHORTEST_PAUSE
        while projections:
            end_if_stopping()
            began = monotonic()
            longest = AWAY_PAUSE
            try:
                await self._build(projections)
                await Lane(self._nc, self._log, self._dsn, projections, batch=self._batch, moved=self._moved).run()
            except Apart as apart:
                if set(apart.projections) != set(projections):
                    projections = tuple(p for p in projections if p not in apart.projections)
                    tasks.create_task(self._keep(apart.projections, tasks))
                    continue
                await self._failed(projections, apart.cause)
                longest = FAILED_PAUSE
            except Exception as error:  # noqa: BLE001 - whatever it was, people wait for the board
                self._stop(projections)
                log.warning("project.waiting", projections=[p.name for p in projections], error=_words(error))
            pause = SHORTEST_PAUSE if monotonic() - began > AWAY_PAUSE + pause else min(pause * 2, longest)
            await asyncio.sleep(pause)

    async def _build(self, projections: Sequence[Projection]) -> None:
        """Build `projections` beside their tables when all of them are empty and the log is long; then follow it."""
        if self._nats_url is None or (end := await self._end()) < WORTH_A_REBUILD:
            return
        if await any_begun(self._dsn, self._log.site, projections):
            return
        names = [projection.name for projection in projections]
        log.info("project.building", projections=names, until=end)
        try:
            await rebuild(self._nc, self._nats_url, self._dsn, self._log.site, names, projections=self._projections)
        except DispatchError as error:
            log.warning("project.not_built", projections=names, error=error.detail)  # the lane reads it, only slower

    def _moved(self, projection: Projection, seq: int) -> None:
        self._positions[projection.name] = seq
        self._stopped.discard(projection.name)
        RUNNING.labels(projection.name).set(1)

    def _stop(self, projections: Sequence[Projection]) -> None:
        for projection in projections:
            self._stopped.add(projection.name)
            RUNNING.labels(projection.name).set(0)
            FAILURES.labels(projection.name).inc()

    async def _failed(self, projections: Sequence[Projection], cause: Exception | None) -> None:
        detail = f"{cause}; {ADVICE}" if isinstance(cause, LogReplaced) else _words(cause)
        self._stop(projections)
        for projection in projections:
            log.error("project.stopped", projection=projection.name, reason=detail)
            await self._incidents.report(projection.name, detail)

    async def _measure(self) -> None:
        while True:
            end_if_stopping()
            try:
                end = await self._end()
            except (NatsError, APIError) as error:
                log.debug("project.unmeasured", error=repr(error))
            else:
                for name, position in self._positions.items():
                    self._measure_one(name, max(0, end - position))
            for name in self._positions.keys() - self._stopped:
                await self._incidents.over(name)
            await asyncio.sleep(LAG_EVERY)

    async def _end(self) -> int:
        """The sequence of the newest commit of this site; 0 when there is none."""
        try:
            newest = await self._nc.jetstream().get_last_msg(CASES, all_cases(self._log.site))
        except NotFoundError:
            return 0
        return int(newest.seq or 0)

    def _measure_one(self, name: str, behind: int) -> None:
        if behind == 0:
            self._at_end[name] = monotonic()
        LAG_COMMITS.labels(name).set(behind)
        LAG_SECONDS.labels(name).set(monotonic() - self._at_end[name] if behind else 0)


def _words(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}"
