"""What a case is made of: its presses, calls, answers, notes and closing, and when each thing happened first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from dispatch.events import Answer, CallOutcome, Channel, Kind, Reason, Resolution
from dispatch.identifiers import PersonId

OUTCOME_RANK = {"unknown": 1, "failed": 2, "sent": 3, "delivered": 4, "seen": 5}
"""What is known of a call never goes back to something worse."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A responder's latest answer, with minutes to arrival if they said; `given` counts it and those before it."""

    id: str
    answer: Answer
    at: datetime
    eta_minutes: int | None = None
    given: int = 1

    @property
    def eta_at(self) -> datetime | None:
        """When they said they will be there; None when they did not say, or are not on their way."""
        if self.answer != "going" or self.eta_minutes is None:
            return None
        return self.at + timedelta(minutes=self.eta_minutes)


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A press as the case knows it; one that differs in anything but its time is another."""

    device: str
    kind: Kind
    silent: bool
    at: datetime


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One responder called in one step: what is owed, and what came of it over each channel.

    `then` are the channels that have not rung yet; `fell_back` says when those rang that did not ring at once.
    `insisted`: an operator called them by name, knowing that they were not to be called.
    """

    step: int
    responder: PersonId
    reasons: tuple[Reason, ...]
    channels: tuple[Channel, ...]
    called_at: datetime
    outcomes: Mapping[Channel, CallOutcome] = MappingProxyType({})
    then: tuple[Channel, ...] = ()
    fell_back: Mapping[Channel, datetime] = MappingProxyType({})
    insisted: bool = False

    def asked_at(self, channel: Channel) -> datetime:
        """Since when a ring over `channel` is owed."""
        return self.fell_back.get(channel, self.called_at)

    @property
    def rung_at(self) -> datetime:
        """When the newest of its channels was to ring."""
        return max((self.called_at, *self.fell_back.values()))

    def owed(self) -> tuple[Channel, ...]:
        """The channels over which this call has no outcome yet, or one that a crash left unknown."""
        return tuple(c for c in self.channels if (o := self.outcomes.get(c)) is None or o.outcome == "unknown")

    def may_ring(self) -> bool:
        """Whether some channel rang, or still may: it failed not yet over all of them."""
        if self.then:
            return True
        outcomes = [self.outcomes.get(channel) for channel in self.channels]
        return any(outcome is None or outcome.outcome != "failed" for outcome in outcomes)

    def best(self) -> CallOutcome | None:
        """The best that came of it over any channel, or None while nothing did."""
        return max(self.outcomes.values(), key=lambda o: OUTCOME_RANK[o.outcome], default=None)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    author: str
    text: str
    at: datetime


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How and by whom the case was closed; `resolution` is None when it was cancelled."""

    by: str
    at: datetime
    resolution: Resolution | None
    text: str


class Firsts(msgspec.Struct, frozen=True, kw_only=True):
    """When each thing happened for the first time, to one responder or to any."""

    called: datetime | None = None
    delivered: datetime | None = None
    answered: datetime | None = None
    going: datetime | None = None
    on_scene: datetime | None = None
    cleared: datetime | None = None


def first_of(known: Firsts | None, new: Firsts) -> Firsts:
    """The earlier of each of two moments."""
    if known is None:
        return new
    return Firsts(
        called=_earlier(known.called, new.called),
        delivered=_earlier(known.delivered, new.delivered),
        answered=_earlier(known.answered, new.answered),
        going=_earlier(known.going, new.going),
        on_scene=_earlier(known.on_scene, new.on_scene),
        cleared=_earlier(known.cleared, new.cleared),
    )


def _earlier(known: datetime | None, new: datetime | None) -> datetime | None:
    return known if new is None or (known is not None and known <= new) else new
