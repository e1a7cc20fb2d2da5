"""What can be asked of a case. Each command has an `id`, by which a repeated one is known, and the time `at`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from dispatch.events import (
    Answer,
    AtOnce,
    Because,
    CallOutcome,
    FallbackSeconds,
    Gap,
    PlannedCall,
    PolicyStep,
    Press,
    Quorum,
    Resolution,
    Via,
)
from dispatch.identifiers import AreaId, CaseId, CommitId, GroupId, PersonId


class _Command(msgspec.Struct, frozen=True, kw_only=True):
    id: CommitId
    at: datetime


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the roster says of how a case is to widen."""

    id: str
    quorum: Quorum
    steps: tuple[PolicyStep, ...]
    at_once: AtOnce = 1
    fallback_seconds: FallbackSeconds = 15


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Where a household belongs, and who is to be called for it: what the roster said when the case began."""

    group: GroupId | None
    areas: tuple[AreaId, ...]
    calls: tuple[PlannedCall, ...]
    gaps: tuple[Gap, ...] = ()
    policy: Policy | None = None
    residents: tuple[PersonId, ...] = ()
    """Who lives in the household: they are not called while nothing may be heard there."""
    response_target_seconds: int | None = None


class RaiseAlarm(_Command, frozen=True, kw_only=True):
    """A press, stored at `accepted_at`; with a plan where it calls people. `case` is the one that it opens, `beside`
    one of the household that goes on under duress.
    """

    press: Press
    accepted_at: datetime
    plan: Plan | None = None
    case: CaseId | None = None
    beside: CaseId | None = None


class RecordCalls(_Command, frozen=True, kw_only=True):
    """What came of calls."""

    outcomes: tuple[CallOutcome, ...]


class GiveAnswer(_Command, frozen=True, kw_only=True):
    """A responder's answer; `eta_minutes` is from now."""

    responder: PersonId
    answer: Answer
    via: Via
    eta_minutes: int | None = None


class AddNote(_Command, frozen=True, kw_only=True):
    """Write something down on the case."""

    author: str
    text: str


class Resolve(_Command, frozen=True, kw_only=True):
    """Close the case: it is over."""

    by: str
    resolution: Resolution
    text: str = ""


class Cancel(_Command, frozen=True, kw_only=True):
    """Call the alarm off."""

    by: str
    reason: str = ""


class Widen(_Command, frozen=True, kw_only=True):
    """Take the next step of the policy now."""

    by: str


class TakeStep(_Command, frozen=True, kw_only=True):
    """Widen the call to step `position`, which is due `because` of something, calling whom `plan` says.

    The plan of a drill's case that has become real has a policy: the one that the case keeps to from here on.
    """

    position: int
    plan: Plan
    because: Because


class StandDown(_Command, frozen=True, kw_only=True):
    """Tell those who were called and have not answered that they need not come; all of them when none is named.

    `rest` says that `responders` are all who were left when the operator looked, and not chosen one by one.
    """

    by: str
    responders: tuple[PersonId, ...] = ()
    rest: bool = False


class Pause(_Command, frozen=True, kw_only=True):
    """Hold the escalation back until `until`."""

    by: str
    until: datetime


class Resume(_Command, frozen=True, kw_only=True):
    """Take the pause back: the escalation goes on as if it had not been."""

    by: str


class Hold(_Command, frozen=True, kw_only=True):
    """Let nothing ring for the case before `until`: it came back from a backup, which does not have what came since."""

    until: datetime


class CallOne(_Command, frozen=True, kw_only=True):
    """Call one more person; one who is not to be called only where that is known and meant (`even_left_out`).

    `left_out` are those whom the roster leaves out for the household: it may say so and the case not yet.
    """

    call: PlannedCall
    by: str
    left_out: frozenset[PersonId] = frozenset()
    even_left_out: bool = False


class SignalDuress(_Command, frozen=True, kw_only=True):
    """Seem to call the alarm off: the household cancels with the PIN that says it is made to."""

    by: str
    reason: str = ""


class LeaveOut(_Command, frozen=True, kw_only=True):
    """Let `people` have no part in the case any more; in one that is over, those of them who were called."""

    people: tuple[PersonId, ...]
    by: str


class FallBack(_Command, frozen=True, kw_only=True):
    """Ring the next channels of those who are not reached, where that is due."""


class HandOver(_Command, frozen=True, kw_only=True):
    """Hand the case over to 110, over `calls` to those at its post; `again` when it was before and that is meant."""

    by: str
    calls: tuple[PlannedCall, ...]
    gaps: tuple[Gap, ...] = ()
    again: bool = False


Widening = Widen | TakeStep | StandDown | Pause | Resume | Hold | CallOne | FallBack | HandOver
Command = RaiseAlarm | RecordCalls | GiveAnswer | AddNote | Resolve | Cancel | SignalDuress | LeaveOut | Widening
