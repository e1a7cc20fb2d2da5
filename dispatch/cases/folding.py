"""Folding a whole case at once: the same case as `fold` makes, without a copy of it for every outcome of a call.

A rebuild folds cases by the hundred thousand. Outcomes, most of what is on the log, are kept in dictionaries of their
own until somebody may look at them: the end of the case, or of the commits. All else is left to `evolve`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from dispatch.cases.case import OUTCOME_RANK, Case, evolve
from dispatch.events import (
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    CaseResolved,
    Channel,
    Commit,
    DuressSignalled,
    Event,
)
from dispatch.identifiers import CommitId, PersonId

Key = tuple[int, PersonId]

LOOKS_AT_ALL = (CaseCancelled, CaseResolved, DuressSignalled)
"""These keep the case as it was for those who pressed, or begin anew what came first."""

_SENT = frozenset(outcome for outcome, rank in OUTCOME_RANK.items() if rank >= OUTCOME_RANK["sent"])
_DELIVERED = frozenset(outcome for outcome, rank in OUTCOME_RANK.items() if rank >= OUTCOME_RANK["delivered"])


def fold_whole(commits: Iterable[Commit]) -> Case:
    """The case after `commits`, which are all of one case from its first on: equal to `fold(commits)`."""
    folding = _Folding()
    for commit in commits:
        folding.take(commit)
    return folding.case()


class _Folding:
    """A case under way. `_case` lacks the outcomes in `_outcomes`, and the moments of theirs that came first."""

    def __init__(self) -> None:
        self._case = Case()
        self._seq = 0
        self._commits: set[CommitId] = set()
        self._outcomes: dict[Key, dict[Channel, CallOutcome]] = {}
        self._called: datetime | None = None
        self._delivered: datetime | None = None

    def take(self, commit: Commit) -> None:
        if commit.seq <= self._seq:
            return
        before = self._case.pretended
        for event in commit.events:
            if isinstance(event, CallsRecorded):
                self._record(event)
            else:
                self._evolve(event)
        self._seq = commit.seq
        self._commits.add(commit.id)
        pretended = self._case.pretended
        if pretended is not None and before is None:
            self._case = replace(self._case, pretended=replace(pretended, seq=commit.seq))

    def case(self) -> Case:
        """The case as it is now."""
        self._put_back()
        return replace(self._case, seq=self._seq, commits=frozenset(self._commits))

    def _evolve(self, event: Event) -> None:
        if isinstance(event, LOOKS_AT_ALL):
            # What is kept for those who pressed has the commits before this one, as `fold` has it.
            self._case = self.case()
        self._case = evolve(self._case, event)

    def _record(self, event: CallsRecorded) -> None:
        calls = self._case.calls
        for outcome in event.outcomes:
            key = (outcome.step, outcome.responder)
            if key not in calls:
                continue
            self._outcomes.setdefault(key, {})[outcome.channel] = outcome
            if outcome.outcome in _SENT:
                self._called = outcome.at if self._called is None else min(self._called, outcome.at)
                if outcome.outcome in _DELIVERED:
                    self._delivered = outcome.at if self._delivered is None else min(self._delivered, outcome.at)

    def _put_back(self) -> None:
        """Give the case the outcomes that were kept aside."""
        if not self._outcomes:
            return
        calls = dict(self._case.calls)
        for key, found in self._outcomes.items():
            calls[key] = replace(calls[key], outcomes={**calls[key].outcomes, **found})
        firsts = self._case.firsts
        firsts = replace(
            firsts,
            called=_earliest(firsts.called, self._called),
            delivered=_earliest(firsts.delivered, self._delivered),
        )
        self._case = replace(self._case, calls=calls, firsts=firsts)
        self._outcomes, self._called, self._delivered = {}, None, None


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)
