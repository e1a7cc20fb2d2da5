"""Deciding: a case and a command make events. Pure: no clock, no network, no chance."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from msgspec.structs import replace

from dispatch.cases.case import Case
from dispatch.cases.commands import (
    AddNote,
    CallOne,
    Cancel,
    Command,
    FallBack,
    GiveAnswer,
    HandOver,
    Hold,
    LeaveOut,
    Pause,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    Resume,
    SignalDuress,
    StandDown,
    TakeStep,
    Widen,
)
from dispatch.cases.fallback import fall_back
from dispatch.cases.hand_over import hand_over
from dispatch.cases.holding import hold
from dispatch.cases.parts import OUTCOME_RANK
from dispatch.cases.sparing import sparing
from dispatch.cases.widening import call_one, pause, resume, stamp_of, stand_down, take_step, widen, with_stand_down
from dispatch.errors import Conflict, Forbidden, NotFound
from dispatch.events import (
    AlarmRaised,
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    CaseNoted,
    CaseResolved,
    Channel,
    DuressSignalled,
    Event,
    HouseholdStamped,
    Press,
    PressedAgain,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
)
from dispatch.identifiers import case_id_for

PRESSES_RECORDED = 20
FLOOD_SPACING = timedelta(seconds=10)
"""After `PRESSES_RECORDED` presses on one case (a stuck key, a flood) one is recorded each `FLOOD_SPACING`."""
REPEAT_WINDOW = timedelta(minutes=10)
CALL_AGAIN_AFTER = timedelta(minutes=5)
"""A case that nobody closed must not swallow the next emergency."""
ANSWERS_PER_PERSON = 60
"""On one case. Each is a commit that everybody reads who loads the case; who changes their mind needs a few."""
REPORTED_LATER: frozenset[Channel] = frozenset({"sms"})
"""Whose provider takes a ring first and says later that it could not be delivered."""

_WhileOpen = (
    GiveAnswer | Resolve | Cancel | SignalDuress | Widen | StandDown | Pause | Resume | Hold | CallOne | HandOver
)


def decide(case: Case, command: Command) -> list[Event]:
    """The events that `command` makes of `case`; none when it changes nothing or was carried out before.

    Raises `NotFound` for a case that has not begun, `Conflict` for one that is over,
    `Forbidden` for an answer of somebody who was not called, `NotToBeCalled` or `OverAtHome` for a call by name that
    must not be.
    """
    if command.id in case.commits:
        return []
    if isinstance(command, RaiseAlarm):
        return _raise(case, command)
    if case.raised is None:
        raise NotFound("there is no such case; see GET /v1/cases for those that are open", field="case")
    if isinstance(command, RecordCalls):
        return _record(case, command)
    if isinstance(command, TakeStep):
        return take_step(case, command)
    if isinstance(command, FallBack):
        return fall_back(case, command)
    return _at_any_time(case, command) if isinstance(command, AddNote | LeaveOut) else _while_open(case, command)


def is_overtaken(case: Case, press: Press) -> bool:
    """Whether `press` is in earnest while `case` is but a drill: no mere press of the drill."""
    return case.as_pressed.is_open and case.alarm.drill and not press.drill


def _raise(case: Case, command: RaiseAlarm) -> list[Event]:
    press = command.press
    if is_repeat(case, command):
        return []
    if case.raised is None:
        return _open(command)
    _require_open(case.as_pressed)  # after a duress as after a cancel, a press opens a case of its own
    if _leaves_no_trace(case, command):
        return []
    again: list[Event] = [
        PressedAgain(
            at=command.at,
            press=press.press,
            device=press.device,
            kind=press.kind,
            source=press.source,
            pressed_at=press.pressed_at,
            accepted_at=command.accepted_at,
            silent=press.silent,
        )
    ]
    if command.plan is not None and is_news(case, command):
        plan = command.plan
        calls = tuple(call for call in plan.calls if call.responder not in case.left_out)
        called = RespondersCalled(at=command.at, step=case.last_step + 1, calls=calls, gaps=plan.gaps)
        again += sparing(called, case.residents, silent=case.silent or press.silent)
    return again


def is_repeat(case: Case, command: RaiseAlarm) -> bool:
    """Whether this is a press that the case has already, sent or delivered again.

    Buttons with a poor memory use an id twice, and two devices may use the same. So a known id is a repetition only
    from the same device, with the same words, within `REPEAT_WINDOW`; and a drill never stands for an alarm in
    earnest: rather ring twice than not at all.
    """
    press = command.press
    heard = case.heard.get(press.press)
    if heard is None or press.drill != case.alarm.drill:
        return False
    same = (heard.device, heard.kind, heard.silent) == (press.device, press.kind, press.silent)
    return same and command.accepted_at - heard.at < REPEAT_WINDOW


def was_passed_over(case: Case, command: RaiseAlarm) -> bool:
    """Whether this press came while `case`, which is over, was open, and left no trace on it (see `_raise`)."""
    known = case.as_pressed
    if known.closing is None or not known.alarm.accepted_at <= command.accepted_at <= known.closing.at:
        return False
    open_still = replace(known, closing=None)
    return not is_overtaken(open_still, command.press) and _leaves_no_trace(open_still, command)


def is_news(case: Case, command: RaiseAlarm) -> bool:
    """Whether a press on the open case calls everybody again.

    So does the first that says of the case something else than was known, any when the calls are long ago, and the
    first on a case that is held: it is not over.
    """
    other_kind = case.pressed_kind is None and command.press.kind not in {"help", case.kind}
    says_more = other_kind or (command.press.silent and not case.silent)
    called_at = max((call.called_at for call in case.calls.values()), default=case.alarm.at)
    return says_more or case.held_until is not None or command.accepted_at - called_at >= CALL_AGAIN_AFTER


def _leaves_no_trace(case: Case, command: RaiseAlarm) -> bool:
    """Whether a press on the open case is one of very many, or a mere drill's on a case in earnest."""
    return (_is_flood(case, command) and not is_news(case, command)) or (command.press.drill and not case.alarm.drill)


def _is_flood(case: Case, command: RaiseAlarm) -> bool:
    if len(case.presses) < PRESSES_RECORDED or case.last_pressed_at is None:
        return False
    return command.accepted_at - case.last_pressed_at < FLOOD_SPACING


def _open(command: RaiseAlarm) -> list[Event]:
    press, plan = command.press, command.plan
    if plan is None:
        raise ValueError("a press that opens a case must come with its plan")
    raised = AlarmRaised(
        at=command.at,
        case=command.case or case_id_for(press.household, press.press),
        household=press.household,
        press=press.press,
        device=press.device,
        kind=press.kind,
        source=press.source,
        pressed_at=press.pressed_at,
        accepted_at=command.accepted_at,
        silent=press.silent,
        drill=press.drill,
        group=plan.group,
        areas=plan.areas,
        response_target_seconds=plan.response_target_seconds,
    )
    stamps: list[Event] = []
    if plan.residents or command.beside is not None:
        stamps.append(HouseholdStamped(at=command.at, residents=plan.residents, beside=command.beside))
    if plan.policy is not None:
        stamps.append(stamp_of(plan.policy, command.at))
    called = RespondersCalled(at=command.at, step=0, calls=plan.calls, gaps=plan.gaps)
    return [raised, *stamps, *sparing(called, plan.residents, silent=press.silent)]


def _record(case: Case, command: RecordCalls) -> list[Event]:
    news = tuple(outcome for outcome in command.outcomes if _is_news(case, outcome))
    return [CallsRecorded(at=command.at, outcomes=news)] if news else []


def _is_news(case: Case, outcome: CallOutcome) -> bool:
    call = case.calls.get((outcome.step, outcome.responder))
    if call is None:
        return False
    known = call.outcomes.get(outcome.channel)
    if known is None:
        return True
    if outcome.channel in REPORTED_LATER and {known.outcome, outcome.outcome} == {"sent", "failed"}:
        return (outcome.attempt, outcome.at) > (known.attempt, known.at)
    return _standing(outcome) > _standing(known)


def _standing(outcome: CallOutcome) -> tuple[int, int]:
    return OUTCOME_RANK[outcome.outcome], outcome.attempt


def _at_any_time(case: Case, command: AddNote | LeaveOut) -> list[Event]:
    if isinstance(command, AddNote):
        return [CaseNoted(at=command.at, note=command.id, author=command.author, text=command.text)]
    # Who was not called yet may be planned for by somebody who read the roster before.
    left_out = sorted(set(command.people) - case.left_out if case.is_open else set(command.people) & case.called())
    return [ResponderLeftOut(at=command.at, responder=person, by=command.by) for person in left_out]


def _while_open(case: Case, command: _WhileOpen) -> list[Event]:  # noqa: C901, PLR0911, PLR0912  (one case for each)
    if isinstance(command, GiveAnswer) and command.responder not in case.called():
        raise Forbidden("only somebody who was called can answer this case", field="responder")
    # To those who pressed a case under duress was cancelled, and so they are answered.
    by_those_who_pressed = isinstance(command, SignalDuress | Cancel) and command.by == f"device:{case.alarm.household}"
    known = case.as_known_by(command.responder) if isinstance(command, GiveAnswer) else case
    _require_open(case.as_pressed if by_those_who_pressed else known)
    match command:
        case GiveAnswer():
            return _answer(case, command)
        case Resolve():
            return [CaseResolved(at=command.at, by=command.by, resolution=command.resolution, text=command.text)]
        case SignalDuress():
            return [DuressSignalled(at=command.at, by=command.by, reason=command.reason)]
        case Cancel():
            return [CaseCancelled(at=command.at, by=command.by, reason=command.reason)]
        case Widen():
            return widen(case, command)
        case StandDown():
            return stand_down(case, command)
        case Pause():
            return pause(case, command)
        case Resume():
            return resume(case, command)
        case Hold():
            return hold(case, command)
        case CallOne():
            return call_one(case, command)
        case HandOver():
            return hand_over(case, command)
        case _:
            assert_never(command)


def _answer(case: Case, command: GiveAnswer) -> list[Event]:
    known = None if command.responder in case.awaited else case.replies.get(command.responder)
    if known is not None and (known.answer, known.eta_minutes) == (command.answer, command.eta_minutes):
        return []
    _require_room(case, command)
    replied = ResponderReplied(
        at=command.at,
        reply=command.id,
        responder=command.responder,
        answer=command.answer,
        via=command.via,
        eta_minutes=command.eta_minutes,
    )
    return with_stand_down(case, replied)


def _require_room(case: Case, command: GiveAnswer) -> None:
    before = case.replies.get(command.responder)
    if before is not None and before.given >= ANSWERS_PER_PERSON:
        raise Conflict(
            f"answer: {ANSWERS_PER_PERSON} answers were given on case {case.id}, which is the limit for one person; "
            "tell the command centre by telephone what has changed",
            field="answer",
            limit=ANSWERS_PER_PERSON,
        )


def _require_open(case: Case) -> None:
    if not case.is_open:
        raise Conflict(
            f"case {case.id} is over ({case.status}); nobody needs to come any more",
            case=case.id,
            case_status=case.status,
        )
