"""What could not be projected is projected after its cause was mended, where a rebuild would put it."""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

from dispatch.cases import Case, fold
from dispatch.errors import NotFound, Refused, Unavailable
from dispatch.events import CaseLog, Commit, Kept
from dispatch.identifiers import CaseId
from dispatch.projections import checkpoints
from dispatch.projections.models import all_projections
from dispatch.projections.projection import Change, Projection
from dispatch.projections.writer import connect, encoded

log = structlog.get_logger()

OF_ALL = "project"
PREFIX = "project-"
"""Letters of `project` were unreadable for every read model, those of `project-<name>` for that one."""


class ProjectAgain:
    """Applies buried commits of one site to its read models."""

    def __init__(self, case_log: CaseLog, dsn: str) -> None:
        self._log, self._dsn = case_log, dsn

    async def __call__(self, kept: Kept) -> None:
        """Make every row of the letter's case anew, from what each read model has read of it.

        Rows are as a rebuild makes them, so that doing it twice changes nothing. Raises `Refused` with the reason when
        the commit still makes no rows, `NotFound` when the log has it no more, `Unavailable` without Postgres or NATS.
        """
        letter = kept.letter
        case_id = CaseId(letter.subject.rpartition(".")[2])
        commits = await self._log.load(case_id)
        mine = next((commit for commit in commits if commit.seq == letter.seq), None)
        if mine is None:
            raise NotFound(f"the log holds no commit {letter.seq} of case {case_id}")
        if not mine.events:
            raise Refused(f"the commit {letter.seq} still cannot be read")
        for projection in self._chosen(letter.by):
            try:
                await self._apply(projection, case_id, letter.seq)
            except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
                raise Unavailable(f"Postgres does not answer: {error!r}") from error
            except asyncpg.PostgresError as error:
                raise Refused(f"no rows of {projection.name} can be made of it: {error}") from error
        log.info("project.again", letter=kept.seq, case=case_id, seq=letter.seq)

    def _chosen(self, by: str) -> list[Projection]:
        found = [one for one in all_projections() if by in {OF_ALL, f"{PREFIX}{one.name}"}]
        if not found:
            raise Refused(f"there is no read model {by.removeprefix(PREFIX)!r} any more")
        return found

    async def _apply(self, projection: Projection, case_id: CaseId, seq: int) -> None:
        """Write the rows while nobody moves the checkpoint, and leave that where it is."""
        connection = await connect(self._dsn, f"{projection.name} again")
        try:
            async with connection.transaction():
                at = await checkpoints.held(connection, self._log.site, projection.name)
                if at is None or at.seq < seq:
                    return  # it has not come to this commit yet, and will read it in its turn
                commits = [commit for commit in await self._log.load(case_id) if commit.seq <= at.seq]
                body = _rows(projection, self._log, commits)
                await connection.execute(projection.queries.write, body)
        finally:
            await asyncio.shield(connection.close(timeout=1))


def _rows(projection: Projection, case_log: CaseLog, commits: list[Commit]) -> str:
    readable = [commit for commit in commits if commit.events]
    try:
        case: Case = fold(readable)
        return encoded(list(projection.rows(Change(site=case_log.site, case=case, commits=tuple(readable)))))
    except Exception as error:
        raise Refused(f"no rows of {projection.name} can be made of it: {type(error).__name__}: {error}") from error


__all__ = ["OF_ALL", "PREFIX", "ProjectAgain"]
