"""What would have been different: per case and over all. Pure."""

from __future__ import annotations

from array import array
from datetime import datetime
from statistics import median

import msgspec

from dispatch.events import Kind
from dispatch.identifiers import CaseId, PersonId
from dispatch.what_if.recorded import Recorded
from dispatch.what_if.replaying import Replay


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How a case went, in seconds after the press was accepted; None for what never came."""

    called: dict[PersonId, float]
    steps: tuple[float, ...]
    enough: float | None
    on_scene: float | None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A case as it was and as it would have been. Who is in one and not in the other, and who is called at another
    time by a second and more.
    """

    case: CaseId
    kind: Kind
    raised_at: datetime
    was: Course
    would: Course
    never_called_before: tuple[PersonId, ...]
    not_called_any_more: tuple[PersonId, ...]
    called_at_another_time: tuple[PersonId, ...]
    same_policy: bool
    """Whether it went by this very policy, whatever that was called."""

    @property
    def differs(self) -> bool:
        return bool(self.never_called_before or self.not_called_any_more or self.called_at_another_time) or (
            self.was.enough is None
        ) != (self.would.enough is None)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All cases together; times are medians in seconds over the cases in which it was enough."""

    cases: int
    different: int
    enough_was: int
    enough_would: int
    seconds_was: float | None
    seconds_would: float | None
    calls_was: int
    calls_would: int


def compare(recorded: Recorded, was: Replay, would: Replay) -> Compared:
    """What `would` change of what `was`."""
    alarm = recorded.case.alarm
    before, after = _course(was, alarm.accepted_at), _course(would, alarm.accepted_at)
    both = before.called.keys() & after.called.keys()
    return Compared(
        case=alarm.case,
        kind=recorded.case.kind,
        raised_at=alarm.at,
        was=before,
        would=after,
        never_called_before=tuple(sorted(after.called.keys() - both)),
        not_called_any_more=tuple(sorted(before.called.keys() - both)),
        called_at_another_time=tuple(sorted(p for p in both if abs(before.called[p] - after.called[p]) >= 1)),
        same_policy=_rules(was) == _rules(would),
    )


def _rules(replay: Replay) -> tuple[object, ...] | None:
    policy = replay.case.policy
    return None if policy is None else (policy.quorum, policy.steps, policy.at_once, policy.fallback_seconds)


class Totals:
    """Sums up cases one by one; of each is kept only how long it took until it was enough."""

    def __init__(self) -> None:
        self._cases = self._different = self._calls_was = self._calls_would = 0
        self._was, self._would = array("d"), array("d")

    def add(self, one: Compared) -> None:
        self._cases += 1
        self._different += one.differs
        self._calls_was += len(one.was.called)
        self._calls_would += len(one.would.called)
        if one.was.enough is not None:
            self._was.append(one.was.enough)
        if one.would.enough is not None:
            self._would.append(one.would.enough)

    def summary(self) -> Summary:
        return Summary(
            cases=self._cases,
            different=self._different,
            enough_was=len(self._was),
            enough_would=len(self._would),
            seconds_was=median(self._was) if self._was else None,
            seconds_would=median(self._would) if self._would else None,
            calls_was=self._calls_was,
            calls_would=self._calls_would,
        )


def _course(replay: Replay, since: datetime) -> Course:
    def seconds(at: datetime | None) -> float | None:
        return None if at is None else (at - since).total_seconds()

    return Course(
        called={person: (at - since).total_seconds() for person, at in sorted(replay.called().items())},
        steps=tuple((step.at - since).total_seconds() for step in replay.steps()),
        enough=seconds(replay.enough_at),
        on_scene=seconds(replay.case.firsts.on_scene),
    )
