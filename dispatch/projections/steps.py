"""Messages of the log as steps: each commit with the case as it left it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

import msgspec
from nats.aio.msg import Msg

from dispatch.cases import Case, fold
from dispatch.errors import Unavailable, Unreadable
from dispatch.events import AlarmRaised, CaseLog, Commit, commit_of
from dispatch.identifiers import CaseId, Site
from dispatch.projections.burial import Burials
from dispatch.projections.projection import Change

REMEMBERED_CASES = 4096


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the log. `after` is None when it could not be read: then it changes no row, and is passed.

    Otherwise it is the commit and the case as that left it; `before` is the case as it was, or none where nobody here
    has seen what became of it: it may have been skipped.
    """

    message: Msg
    seq: int
    commit_id: str
    stored_at: datetime
    before: Case
    after: tuple[Commit, Case] | None


class Steps:
    """Folds commits in the order of the log.

    Cases it has seen lately are remembered; one it does not know is loaded as it was before the commit.
    """

    def __init__(self, log: CaseLog, burials: Burials) -> None:
        self._log, self._burials = log, burials
        self._remembered: OrderedDict[CaseId, Case] = OrderedDict()

    async def take(self, message: Msg) -> Step:
        """The step that `message` makes; one that cannot be read goes to the DLQ.

        Raises `Unavailable` when the log cannot be reached.
        """
        metadata = message.metadata
        before, after = await self._taken(message)
        return Step(
            message=message,
            seq=metadata.sequence.stream,
            commit_id=(message.headers or {}).get("ce-id", ""),
            stored_at=metadata.timestamp,
            before=before,
            after=after,
        )

    async def _taken(self, message: Msg) -> tuple[Case, tuple[Commit, Case] | None]:
        try:
            commit = commit_of(message)
            known = self._remembered.get(commit.case)
            before = await self._before(commit) if known is None else known
            case = _of(commit, fold([commit], before))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one message, the next must be read
            await self._burials.bury("project", message, f"{type(error).__name__}: {error}")
            return Case(), None
        self._remember(case)
        return Case() if known is None else known, (commit, case)

    async def _before(self, commit: Commit) -> Case:
        if isinstance(commit.events[0], AlarmRaised):
            return Case()
        return fold(earlier for earlier in await self._log.load(commit.case) if earlier.seq < commit.seq)

    def _remember(self, case: Case) -> None:
        self._remembered[case.id] = case
        self._remembered.move_to_end(case.id)
        if len(self._remembered) > REMEMBERED_CASES:
            self._remembered.popitem(last=False)


def _of(commit: Commit, case: Case) -> Case:
    if case.id != commit.case:
        raise Unreadable(f"a commit of case {case.id} on the subject of case {commit.case}")
    return case


def changes(site: Site, steps: Sequence[Step]) -> list[Change]:
    """What `steps` changed: one change per case, with all of its commits."""
    first: dict[CaseId, Case] = {}
    latest: dict[CaseId, Case] = {}
    commits: dict[CaseId, list[Commit]] = {}
    for step in steps:
        if step.after is not None:
            commit, case = step.after
            first.setdefault(commit.case, step.before)
            latest[commit.case] = case
            commits.setdefault(commit.case, []).append(commit)
    return [
        Change(site=site, case=case, commits=tuple(commits[case_id]), before=first[case_id])
        for case_id, case in latest.items()
    ]
