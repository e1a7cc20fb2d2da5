"""The case: what is known of it after its events, and how each event changes it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, assert_never

import msgspec
from msgspec.structs import replace

from dispatch.events import (
    AlarmRaised,
    Answer,
    Because,
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    CaseNoted,
    CaseResolved,
    Channel,
    Commit,
    DuressSignalled,
    Escalated,
    EscalationPaused,
    Event,
    FellBack,
    Gap,
    HandedOver,
    HouseholdStamped,
    Kind,
    PlannedCall,
    PolicyStamped,
    PressedAgain,
    Reason,
    ResidentsSpared,
    Resolution,
    ResponderCleared,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
    RespondersStoodDown,
    WideningAsked,
)
from dispatch.identifiers import CaseId, CommitId, PersonId, PressId

Status = Literal["none", "raised", "under_way", "on_scene", "resolved", "cancelled"]
"""`none` before the first event; `raised` while nobody comes; the last two are final."""

OUTCOME_RANK = {"unknown": 1, "failed": 2, "sent": 3, "delivered": 4, "seen": 5}
"""What is known of a call never goes back to something worse."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A responder's latest answer, with minutes to arrival if they said."""

    id: str
    answer: Answer
    at: datetime
    eta_minutes: int | None = None

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
    """

    step: int
    responder: PersonId
    reasons: tuple[Reason, ...]
    channels: tuple[Channel, ...]
    called_at: datetime
    outcomes: Mapping[Channel, CallOutcome] = MappingProxyType({})
    then: tuple[Channel, ...] = ()
    fell_back: Mapping[Channel, datetime] = MappingProxyType({})

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


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as its events left it. `Case()` is one that has not begun."""

    raised: AlarmRaised | None = None
    presses: tuple[PressId, ...] = ()
    heard: Mapping[PressId, Heard] = MappingProxyType({})
    """Each press; of an id that was used again, the last."""
    last_pressed_at: datetime | None = None
    silenced: bool = False
    """Whether a later press was silent."""
    pressed_kind: Kind | None = None
    calls: Mapping[tuple[int, PersonId], Call] = MappingProxyType({})
    gaps: tuple[Gap, ...] = ()
    replies: Mapping[PersonId, Reply] = MappingProxyType({})
    reply_ids: frozenset[str] = frozenset()
    notes: tuple[Note, ...] = ()
    closing: Closing | None = None
    policy: PolicyStamped | None = None
    position: int = 0
    """How many steps of the policy were taken after the first call."""
    escalated_at: datetime | None = None
    """When the newest of those steps was taken."""
    escalated_because: Because | None = None
    called_late: frozenset[PersonId] = frozenset()
    """Those whom a step called because those who were coming were late, and whom nothing else has called since."""
    paused_until: datetime | None = None
    asked: WideningAsked | None = None
    """An operator's wish that the call widen, until it does."""
    awaited: frozenset[PersonId] = frozenset()
    """Those who, since they were called last, have neither answered nor been stood down."""
    stood_down: frozenset[PersonId] = frozenset()
    dismissed: frozenset[PersonId] = frozenset()
    """Those of them whom an operator stood down by name, and who have not answered: no step calls them again."""
    thanked: bool = False
    """Whether the others were told, since the newest step, that it is enough."""
    given_up_at: datetime | None = None
    """When the last of those who came gave up after that."""
    left_out: frozenset[PersonId] = frozenset()
    """Those who were called and have no part in it any more: what they did stands on the log and counts for nothing."""
    residents: frozenset[PersonId] = frozenset()
    """Who of those that can be called lives in the household."""
    spared: frozenset[PersonId] = frozenset()
    """Those of them who were not called because nothing may be heard there."""
    beside: CaseId | None = None
    """The household's case that went on under duress when this one was opened."""
    duress: DuressSignalled | None = None
    """That the one who pressed is under duress."""
    duress_heeded: bool = False
    """Whether the call has widened for it."""
    pretended: Case | None = None
    """What the one who pressed and then cancelled is shown, for good, whether they were under duress or not."""
    handed_over: HandedOver | None = None
    """The newest hand-over to 110."""
    reached: Mapping[PersonId, Firsts] = MappingProxyType({})
    """When each responder was first called, reached, and heard of."""
    seq: int = 0
    """The log's sequence of the newest commit folded in; 0 before the first."""
    commits: frozenset[CommitId] = frozenset()

    @property
    def id(self) -> CaseId:
        return self.alarm.case

    @property
    def alarm(self) -> AlarmRaised:
        """How it began. Only for a case that has."""
        if self.raised is None:
            raise ValueError("this case has not begun")
        return self.raised

    @property
    def kind(self) -> Kind:
        """What it is about: the kind of the alarm, or of a later press that knew more."""
        return self.pressed_kind or self.alarm.kind

    @property
    def stepped_at(self) -> datetime:
        """When the first call or the newest step was; who is called by hand meanwhile puts off no step.

        Only for a case that has begun.
        """
        return self.escalated_at or self.alarm.at

    @property
    def silent(self) -> bool:
        """Whether nothing may be heard or seen at the scene: one press at least was silent."""
        return self.alarm.silent or self.silenced

    @property
    def drill(self) -> bool:
        """Whether it is but a drill: one is real from the moment at which duress was signalled."""
        return self.alarm.drill and self.duress is None

    @property
    def is_under_duress(self) -> bool:
        """Whether it was signalled on this case, or on one beside which the household pressed again."""
        return self.duress is not None or self.beside is not None

    @property
    def owes_word_of_duress(self) -> bool:
        """Whether duress was signalled, and the step is not taken yet that tells everybody of it."""
        return self.duress is not None and not self.duress_heeded

    @property
    def last_step(self) -> int:
        """The newest step in which anybody was called; -1 when nobody was."""
        return max((step for step, _ in self.calls), default=-1)

    @property
    def status(self) -> Status:
        if self.raised is None:
            return "none"
        if self.closing is not None:
            return "cancelled" if self.closing.resolution is None else "resolved"
        answers = {reply.answer for reply in self.replies.values()}
        if "on_scene" in answers:
            return "on_scene"
        return "under_way" if "going" in answers else "raised"

    @property
    def is_open(self) -> bool:
        return self.raised is not None and self.closing is None and not self.is_imported

    @property
    def is_imported(self) -> bool:
        """Whether an older system had it: it is over, closed or not, and nobody is owed a call."""
        return self.raised is not None and self.raised.source == "import"

    @property
    def firsts(self) -> Firsts:
        """When each thing happened for the first time on this case, to anybody who was not left out."""
        counted = [firsts for person, firsts in self.reached.items() if person not in self.left_out]
        return Firsts(
            called=_earliest([firsts.called for firsts in counted]),
            delivered=_earliest([firsts.delivered for firsts in counted]),
            answered=_earliest([firsts.answered for firsts in counted]),
            going=_earliest([firsts.going for firsts in counted]),
            on_scene=_earliest([firsts.on_scene for firsts in counted]),
            cleared=_earliest([firsts.cleared for firsts in counted]),
        )

    @property
    def nearest_eta_at(self) -> datetime | None:
        """When the first of those who are coming said they will be there, or None when nobody said."""
        return min(filter(None, (reply.eta_at for reply in self.replies.values())), default=None)

    @property
    def as_pressed(self) -> Case:
        """The case as those who pressed may know it: under duress it was cancelled, and nothing came after."""
        return self.pretended or self

    def as_known_by(self, person: PersonId) -> Case:
        """The case as `person` may know it: in the household they know what those who pressed know, and no more."""
        return self.as_pressed if person in self.residents else self

    def taking_part(self) -> list[Call]:
        """The calls, but for those of people who were left out afterwards."""
        return [call for call in self.calls.values() if call.responder not in self.left_out]

    def asked_by_name(self) -> set[PersonId]:
        """Those whom an operator called by name: they come even where the roster leaves them out."""
        return {c.responder for c in self.taking_part() if any(reason.role == "asked" for reason in c.reasons)}

    def called(self) -> set[PersonId]:
        """Everybody who was called, in any step, and was not left out."""
        return {call.responder for call in self.taking_part()}

    def owed(self) -> list[Call]:
        """Calls that still have a channel without an outcome."""
        return [call for call in self.taking_part() if call.owed()]


def evolve(case: Case, event: Event) -> Case:  # noqa: C901, PLR0911, PLR0912  (one return for each event)
    """`case` after `event`. Fails on an event it does not know, rather than overlook it."""
    match event:  # most are outcomes and answers
        case CallsRecorded():
            return _record(case, event)
        case ResponderReplied():
            return _reply(case, event)
        case AlarmRaised():
            heard = {event.press: _heard(event)}
            return replace(case, raised=event, presses=(event.press,), heard=heard, last_pressed_at=event.accepted_at)
        case PressedAgain():
            kind = case.pressed_kind if event.kind in {"help", case.kind} else event.kind
            return replace(
                case,
                presses=(*case.presses, event.press),
                heard={**case.heard, event.press: _heard(event)},
                silenced=case.silenced or event.silent,
                last_pressed_at=event.accepted_at,
                pressed_kind=kind,
            )
        case RespondersCalled():
            return _call(case, event)
        case PolicyStamped() | WideningAsked() | Escalated() | RespondersStoodDown() | EscalationPaused():
            return _widen(case, event)
        case FellBack():
            return _fall_back(case, event)
        case HandedOver():
            return replace(case, handed_over=event)
        case HouseholdStamped() | ResidentsSpared():
            return _at_home(case, event)
        case ResponderCleared():
            return _reach(case, event.responder, Firsts(cleared=event.at))
        case ResponderLeftOut():
            return _leave_out(case, event)
        case CaseNoted():
            note = Note(id=event.note, author=event.author, text=event.text, at=event.at)
            return replace(case, notes=(*case.notes, note))
        case CaseResolved() | CaseCancelled() | DuressSignalled():
            return _end(case, event)
        case _:
            assert_never(event)


def fold(commits: Iterable[Commit], case: Case | None = None) -> Case:
    """`case` (a new one when not given) after `commits`; those it has seen already change nothing."""
    case = case or Case()
    for commit in commits:
        if commit.seq <= case.seq:
            continue
        before = case.pretended
        for event in commit.events:
            case = evolve(case, event)
        case = replace(case, seq=commit.seq, commits=case.commits | {commit.id})
        if case.pretended is not None and before is None:
            case = replace(case, pretended=replace(case.pretended, seq=commit.seq))
    return case


def _widen(
    case: Case, event: PolicyStamped | WideningAsked | Escalated | RespondersStoodDown | EscalationPaused
) -> Case:
    match event:
        case PolicyStamped():
            return replace(case, policy=event)
        case WideningAsked():
            return replace(case, asked=event)
        case Escalated():
            return replace(
                case,
                position=event.position,
                escalated_at=event.at,
                escalated_because=event.because,
                paused_until=None,
                asked=None,
                thanked=False,
                given_up_at=None,
                duress_heeded=case.duress_heeded or event.because == "duress",
            )
        case RespondersStoodDown():
            told = frozenset(event.responders)
            return replace(
                case,
                awaited=case.awaited - told,
                stood_down=case.stood_down | told,
                dismissed=case.dismissed | told if event.by_name else case.dismissed,
                thanked=case.thanked or not event.by_name,
            )
        case EscalationPaused():
            return replace(case, paused_until=event.until)
        case _:
            assert_never(event)


def _end(case: Case, event: CaseResolved | CaseCancelled | DuressSignalled) -> Case:
    match event:
        case CaseResolved():
            closing = Closing(by=event.by, at=event.at, resolution=event.resolution, text=event.text)
            return replace(case, closing=closing)
        case CaseCancelled():
            closed = replace(case, closing=Closing(by=event.by, at=event.at, resolution=None, text=event.reason))
            by_those_who_pressed = event.by == f"device:{case.alarm.household}"
            return replace(closed, pretended=closed) if by_those_who_pressed and case.pretended is None else closed
        case DuressSignalled():
            shown = replace(case, closing=Closing(by=event.by, at=event.at, resolution=None, text=event.reason))
            return _under_duress(replace(case, duress=event, silenced=True, pretended=shown))
        case _:
            assert_never(event)


def _at_home(case: Case, event: HouseholdStamped | ResidentsSpared) -> Case:
    match event:
        case HouseholdStamped():
            return replace(case, residents=frozenset(event.residents), beside=event.beside)
        case ResidentsSpared():
            return replace(case, spared=case.spared | set(event.people))
        case _:
            assert_never(event)


def _under_duress(case: Case) -> Case:
    """What was answered to a drill is no answer to an emergency, and 110 took over but a drill.

    Nor is it an answer what is answered at the scene itself.
    """
    if case.alarm.drill:
        return replace(
            case,
            handed_over=None,
            replies={},
            stood_down=frozenset(),
            dismissed=frozenset(),
            thanked=False,
            given_up_at=None,
            reached={},
        )
    return replace(case, replies={who: reply for who, reply in case.replies.items() if who not in case.residents})


def _leave_out(case: Case, event: ResponderLeftOut) -> Case:
    person = event.responder
    return replace(
        case,
        given_up_at=_given_up_at(case, event),
        replies={who: reply for who, reply in case.replies.items() if who != person},
        awaited=case.awaited - {person},
        stood_down=case.stood_down - {person},
        dismissed=case.dismissed - {person},
        left_out=case.left_out | {person},
    )


def _given_up_at(case: Case, event: ResponderReplied | ResponderLeftOut) -> datetime | None:
    known = case.replies.get(event.responder)
    came = known is not None and known.answer != "cannot"
    return _later(case.given_up_at, event.at) if case.thanked and came else case.given_up_at


def _heard(event: AlarmRaised | PressedAgain) -> Heard:
    return Heard(device=event.device, kind=event.kind, silent=event.silent, at=event.accepted_at)


def _call(case: Case, event: RespondersCalled) -> Case:
    calls = {(event.step, planned.responder): _owed(event, planned) for planned in event.calls}
    called_again = {planned.responder for planned in event.calls}
    # Of an imported call there is no outcome: that it was made is what the older system says.
    reached = case.reached
    if case.is_imported:
        new = Firsts(called=event.at)
        reached = {**reached, **{person: first_of(reached.get(person), new) for person in called_again}}
    late = case.escalated_because == "late" and case.escalated_at == event.at
    return replace(
        case,
        reached=reached,
        calls={**case.calls, **calls},
        called_late=case.called_late | called_again if late else case.called_late - called_again,
        gaps=(*case.gaps, *event.gaps),
        awaited=case.awaited | called_again,
        stood_down=case.stood_down - called_again,
        dismissed=case.dismissed - called_again,
        left_out=case.left_out - called_again,
        spared=case.spared - called_again,
    )


def _owed(event: RespondersCalled, planned: PlannedCall) -> Call:
    return Call(
        step=event.step,
        responder=planned.responder,
        reasons=planned.reasons,
        channels=planned.channels,
        called_at=event.at,
        then=tuple(channel for channel in dict.fromkeys(planned.then) if channel not in planned.channels),
    )


def _fall_back(case: Case, event: FellBack) -> Case:
    calls = dict(case.calls)
    for following in event.calls:
        key, channel = (following.step, following.responder), following.channel
        if key not in calls or channel in calls[key].channels:
            continue
        call = calls[key]
        calls[key] = replace(
            call,
            channels=(*call.channels, channel),
            then=tuple(left for left in call.then if left != channel),
            fell_back={**call.fell_back, channel: event.at},
        )
    return replace(case, calls=calls)


def _record(case: Case, event: CallsRecorded) -> Case:
    calls, reached = dict(case.calls), dict(case.reached)
    for outcome in event.outcomes:
        key = (outcome.step, outcome.responder)
        if key not in calls:
            continue  # decided never, but a log that cannot be folded would make a household deaf
        calls[key] = replace(calls[key], outcomes={**calls[key].outcomes, outcome.channel: outcome})
        rank = OUTCOME_RANK[outcome.outcome]
        if rank >= OUTCOME_RANK["sent"]:
            new = Firsts(called=outcome.at, delivered=outcome.at if rank >= OUTCOME_RANK["delivered"] else None)
            reached[outcome.responder] = first_of(reached.get(outcome.responder), new)
    return replace(case, calls=calls, reached=reached)


def _reply(case: Case, event: ResponderReplied) -> Case:
    reply = Reply(id=event.reply, answer=event.answer, at=event.at, eta_minutes=event.eta_minutes)
    given_up_at = _given_up_at(case, event) if event.answer == "cannot" else case.given_up_at
    new = Firsts(
        answered=event.at,
        going=event.at if event.answer == "going" else None,
        on_scene=event.at if event.answer == "on_scene" else None,
    )
    return replace(
        case,
        replies={**case.replies, event.responder: reply},
        reply_ids=case.reply_ids | {event.reply},
        awaited=case.awaited - {event.responder},
        dismissed=case.dismissed - {event.responder},
        given_up_at=given_up_at,
        reached={**case.reached, event.responder: first_of(case.reached.get(event.responder), new)},
    )


def _reach(case: Case, person: PersonId, new: Firsts) -> Case:
    return replace(case, reached={**case.reached, person: first_of(case.reached.get(person), new)})


def expected_at(reply: Reply) -> datetime | None:
    """When somebody who is going said they would be there, or None when they did not say."""
    if reply.answer != "going" or reply.eta_minutes is None:
        return None
    return reply.at + timedelta(minutes=reply.eta_minutes)


def _later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else max(known, at)


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


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min([at for at in moments if at is not None], default=None)


def _earlier(known: datetime | None, new: datetime | None) -> datetime | None:
    return known if new is None or (known is not None and known <= new) else new
