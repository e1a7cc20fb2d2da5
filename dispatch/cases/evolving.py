"""How each event changes the case. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from dispatch.cases.case import Case
from dispatch.cases.not_called import is_not_to_be_called
from dispatch.cases.parts import OUTCOME_RANK, Call, Closing, Firsts, Heard, Note, Reply, first_of
from dispatch.events import (
    AlarmRaised,
    CallsRecorded,
    CaseCancelled,
    CaseNoted,
    CaseResolved,
    Commit,
    DuressSignalled,
    Escalated,
    EscalationPaused,
    Event,
    FellBack,
    HandedOver,
    HouseholdStamped,
    PlannedCall,
    PolicyStamped,
    PressedAgain,
    ResidentsSpared,
    ResponderCleared,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
    RespondersStoodDown,
    WideningAsked,
)
from dispatch.identifiers import PersonId

RESTORE = "restore"
"""By whom a case is paused that came back from a backup."""


def evolve(case: Case, event: Event) -> Case:  # noqa: C901, PLR0911, PLR0912  (one return for each event)
    """`case` after `event`. Fails on an event it does not know, rather than overlook it."""
    match event:  # most are outcomes and answers
        case CallsRecorded():
            return _record(case, event)
        case ResponderReplied():
            return answered(case, (event,))
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
                held_until=None,
                paused=None if case.held_until is not None else case.paused,
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
        before, unseen = case.pretended, case.unseen + is_unseen(case, commit)
        for event in commit.events:
            case = evolve(case, event)
        case = replace(case, seq=commit.seq, commits=case.commits | {commit.id}, unseen=unseen)
        if case.pretended is not None and before is None:
            case = replace(case, pretended=replace(case.pretended, seq=commit.seq, commits=case.commits))
    return case


def is_unseen(case: Case, commit: Commit) -> bool:
    """Whether `commit`, the next of `case`, tells only of people who are left out; one without events tells nothing."""
    for event in commit.events:
        if not _is_unseen(case, event):
            return False
    return bool(commit.events)


def _is_unseen(case: Case, event: Event) -> bool:
    match event:
        case CallsRecorded():
            return bool(case.left_out) and case.left_out.issuperset(one.responder for one in event.outcomes)
        case ResponderLeftOut():  # of somebody who was called it is seen that they stand there no more
            return all(responder != event.responder for _, responder in case.calls)
        case _:
            return False


def answered(case: Case, events: Sequence[ResponderReplied]) -> Case:
    """`case` after `events` on end, copied once for all of them."""
    replies, reached, given_up_at = dict(case.replies), dict(case.reached), case.given_up_at
    for event in events:
        person, answer, at = event.responder, event.answer, event.at
        if answer == "cannot" and (gave_up_at := _given_up_at(case, replies.get(person), at)) is not None:
            given_up_at = _later(given_up_at, gave_up_at)
        given = replies[person].given + 1 if person in replies else 1
        replies[person] = Reply(id=event.reply, answer=answer, at=at, eta_minutes=event.eta_minutes, given=given)
        new = Firsts(
            answered=at, going=at if answer == "going" else None, on_scene=at if answer == "on_scene" else None
        )
        reached[person] = first_of(reached.get(person), new)
    people = {event.responder for event in events}
    return replace(
        case,
        replies=replies,
        reply_ids=case.reply_ids.union([event.reply for event in events]),
        awaited=case.awaited - people,
        dismissed=case.dismissed - people,
        given_up_at=given_up_at,
        reached=reached,
    )


def _widen(
    case: Case, event: PolicyStamped | WideningAsked | Escalated | RespondersStoodDown | EscalationPaused
) -> Case:
    match event:
        case PolicyStamped():
            return replace(case, policy=event)
        case WideningAsked():
            return replace(case, asked=event, held_until=None)
        case Escalated():
            return replace(
                case,
                position=event.position,
                escalated_at=event.at,
                escalated_because=event.because,
                paused=None,
                resumed_at=None,
                held_until=None,
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
            return _pause(case, event)
        case _:
            assert_never(event)


def _pause(case: Case, event: EscalationPaused) -> Case:
    if event.until <= event.at:
        return replace(case, paused=None, resumed_at=event.at, held_until=None)
    return replace(case, paused=event, resumed_at=None, held_until=event.until if event.by == RESTORE else None)


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
            return _under_duress(replace(case, duress=event, silenced=True, pretended=shown, held_until=None))
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
        given_up_at=_given_up_at(case, case.replies.get(person), event.at),
        replies={who: reply for who, reply in case.replies.items() if who != person},
        awaited=case.awaited - {person},
        stood_down=case.stood_down - {person},
        dismissed=case.dismissed - {person},
        left_out=case.left_out | {person},
    )


def _given_up_at(case: Case, known: Reply | None, at: datetime) -> datetime | None:
    """When the last of those who came gave up, if whose answer was `known` so far does so at `at`."""
    came = known is not None and known.answer != "cannot"
    return _later(case.given_up_at, at) if case.thanked and came else case.given_up_at


def _heard(event: AlarmRaised | PressedAgain) -> Heard:
    return Heard(device=event.device, kind=event.kind, silent=event.silent, at=event.accepted_at)


def _call(case: Case, event: RespondersCalled) -> Case:
    calls = {(event.step, planned.responder): _owed(case, event, planned) for planned in event.calls}
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


def _owed(case: Case, event: RespondersCalled, planned: PlannedCall) -> Call:
    return Call(
        step=event.step,
        responder=planned.responder,
        reasons=planned.reasons,
        channels=planned.channels,
        called_at=event.at,
        then=tuple([channel for channel in dict.fromkeys(planned.then) if channel not in planned.channels]),
        insisted=is_not_to_be_called(case, planned.responder)
        and any(reason.role == "asked" for reason in planned.reasons),
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


def _reach(case: Case, person: PersonId, new: Firsts) -> Case:
    return replace(case, reached={**case.reached, person: first_of(case.reached.get(person), new)})


def _later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else max(known, at)
