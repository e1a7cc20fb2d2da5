"""What would have been different: per case and over all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
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


def summary(compared: Sequence[Compared]) -> Summary:
    was = [one.was.enough for one in compared if one.was.enough is not None]
    would = [one.would.enough for one in compared if one.would.enough is not None]
    return Summary(
        cases=len(compared),
        different=sum(one.differs for one in compared),
        enough_was=len(was),
        enough_would=len(would),
        seconds_was=median(was) if was else None,
        seconds_would=median(would) if would else None,
        calls_was=sum(len(one.was.called) for one in compared),
        calls_would=sum(len(one.would.called) for one in compared),
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
