"""What people did on a recorded case, apart from what the policy made happen. Pure.

The policy calls; people react to being called, and operators and those who pressed do things of their own. A reaction
is kept with the time between the call and it, a deed with its moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from dispatch.cases import TIMER, Call, Case, evolve
from dispatch.events import (
    AlarmRaised,
    Answer,
    CallOutcome,
    CallsRecorded,
    Channel,
    Commit,
    Escalated,
    Event,
    FellBack,
    HandedOver,
    PolicyStamped,
    ResponderReplied,
    RespondersCalled,
    RespondersStoodDown,
)
from dispatch.identifiers import PersonId


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, `after` the first call to that person."""

    after: timedelta
    answer: Answer
    eta_minutes: int | None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a ring over a channel, `after` it was asked for."""

    after: timedelta
    outcome: CallOutcome


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded case, taken apart. `case` is how it ended; `opening` how it began; `until` when it was over."""

    case: Case
    opening: tuple[Event, ...]
    deeds: tuple[Event, ...]
    reactions: dict[PersonId, tuple[Reaction, ...]]
    deliveries: dict[tuple[PersonId, Channel], tuple[Delivery, ...]]
    until: datetime


def recorded_of(commits: Sequence[Commit], now: datetime) -> Recorded | None:
    """The recorded case of `commits`, all of one case; None for one without a beginning, or that was imported.

    One that is open is recorded up to `now`.
    """
    taking = _Taking()
    for commit in commits:
        taking.take(commit)
    case = taking.case
    if case.raised is None or case.is_imported:
        return None
    return Recorded(
        case=case,
        opening=taking.opening,
        deeds=tuple(taking.deeds),
        reactions={person: tuple(found) for person, found in taking.reactions.items()},
        deliveries={key: tuple(found) for key, found in taking.deliveries.items()},
        until=case.closing.at if case.closing else now,
    )


class _Taking:
    def __init__(self) -> None:
        self.case = Case()
        self.opening: tuple[Event, ...] = ()
        self.deeds: list[Event] = []
        self.reactions: dict[PersonId, list[Reaction]] = {}
        self.deliveries: dict[tuple[PersonId, Channel], list[Delivery]] = {}
        self._called: dict[PersonId, datetime] = {}

    def take(self, commit: Commit) -> None:
        if not commit.events:
            return
        opens = isinstance(commit.events[0], AlarmRaised)
        if opens:
            self.opening = tuple(event for event in commit.events if not isinstance(event, PolicyStamped))
        by_policy = any(_is_by_policy(event) for event in commit.events)
        for event in commit.events:
            self.case = evolve(self.case, event)
            self._note(event)
            if not opens and not by_policy and not isinstance(event, CallsRecorded | ResponderReplied):
                self.deeds.append(event)

    def _note(self, event: Event) -> None:
        match event:
            case RespondersCalled():
                for planned in event.calls:
                    self._called.setdefault(planned.responder, event.at)
            case ResponderReplied() if event.responder in self._called:
                after = event.at - self._called[event.responder]
                reaction = Reaction(after=after, answer=event.answer, eta_minutes=event.eta_minutes)
                self.reactions.setdefault(event.responder, []).append(reaction)
            case CallsRecorded():
                for outcome in event.outcomes:
                    self._deliver(outcome)
            case _:
                pass

    def _deliver(self, outcome: CallOutcome) -> None:
        call: Call | None = self.case.calls.get((outcome.step, outcome.responder))
        if call is not None:
            after = outcome.at - call.asked_at(outcome.channel)
            found = self.deliveries.setdefault((outcome.responder, outcome.channel), [])
            if not any(known.outcome.step != outcome.step for known in found):  # of the first ring over it
                found.append(Delivery(after=after, outcome=outcome))


def _is_by_policy(event: Event) -> bool:
    """Whether `event` was made by a timer or by its own rules, so that another policy may make another."""
    match event:
        case Escalated() | FellBack():
            return True
        case RespondersStoodDown() | HandedOver():
            return event.by == TIMER
        case _:
            return False
