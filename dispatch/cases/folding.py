"""Folding a whole case at once: the same case as `fold` makes, without a copy of it for every outcome of a call.

A rebuild folds cases by the hundred thousand. Outcomes, most of what is on the log, are kept in dictionaries of their
own until somebody may look at them: the end of the case, or of the commits. Answers wait until anything else happens,
and all else is left to `evolve`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from dispatch.cases.case import Case
from dispatch.cases.evolving import answered, evolve, is_unseen
from dispatch.cases.parts import OUTCOME_RANK, Firsts, first_of
from dispatch.events import (
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    CaseResolved,
    Channel,
    Commit,
    DuressSignalled,
    Event,
    ResponderReplied,
    RespondersCalled,
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
    """A case under way. `_case` lacks the outcomes in `_outcomes`, when each responder was reached by them, and the
    newest answers.
    """

    def __init__(self) -> None:
        self._case = Case()
        self._seq = 0
        self._commits: set[CommitId] = set()
        self._outcomes: dict[Key, dict[Channel, CallOutcome]] = {}
        self._called: dict[PersonId, datetime] = {}
        self._delivered: dict[PersonId, datetime] = {}
        self._answers: list[ResponderReplied] = []

    def take(self, commit: Commit) -> None:
        if commit.seq <= self._seq:
            return
        before, unseen = self._case.pretended, self._case.unseen + is_unseen(self._case, commit)
        for event in commit.events:
            if isinstance(event, CallsRecorded):
                self._record(event)
            elif isinstance(event, ResponderReplied):
                self._answers.append(event)
            else:
                self._evolve(event)
        self._seq = commit.seq
        self._commits.add(commit.id)
        if unseen != self._case.unseen:
            self._case = replace(self._case, unseen=unseen)
        pretended = self._case.pretended
        if pretended is not None and before is None:
            self._case = replace(
                self._case, pretended=replace(pretended, seq=commit.seq, commits=frozenset(self._commits))
            )

    def case(self) -> Case:
        """The case as it is now."""
        self._put_back()
        return replace(self._case, seq=self._seq, commits=frozenset(self._commits))

    def _evolve(self, event: Event) -> None:
        self._put_back_answers()
        if isinstance(event, LOOKS_AT_ALL):
            # What is kept for those who pressed has the commits before this one, as `fold` has it.
            self._case = self.case()
        elif isinstance(event, RespondersCalled):
            for planned in event.calls:  # a call that is made anew has no outcome yet
                self._outcomes.pop((event.step, planned.responder), None)
        self._case = evolve(self._case, event)

    def _record(self, event: CallsRecorded) -> None:
        calls = self._case.calls
        for outcome in event.outcomes:
            key = (outcome.step, outcome.responder)
            if key not in calls:
                continue
            self._outcomes.setdefault(key, {})[outcome.channel] = outcome
            if outcome.outcome in _SENT:
                _keep_first(self._called, outcome.responder, outcome.at)
                if outcome.outcome in _DELIVERED:
                    _keep_first(self._delivered, outcome.responder, outcome.at)

    def _put_back_answers(self) -> None:
        if self._answers:
            self._case, self._answers = answered(self._case, self._answers), []

    def _put_back(self) -> None:
        """Give the case what was kept aside."""
        self._put_back_answers()
        if not self._outcomes and not self._called:
            return
        calls, reached = dict(self._case.calls), dict(self._case.reached)
        for key, found in self._outcomes.items():
            calls[key] = replace(calls[key], outcomes={**calls[key].outcomes, **found})
        for person, called in self._called.items():
            new = Firsts(called=called, delivered=self._delivered.get(person))
            reached[person] = first_of(reached.get(person), new)
        self._case = replace(self._case, calls=calls, reached=reached)
        self._outcomes, self._called, self._delivered = {}, {}, {}


def _keep_first(known: dict[PersonId, datetime], person: PersonId, at: datetime) -> None:
    before = known.get(person)
    if before is None or at < before:
        known[person] = at
