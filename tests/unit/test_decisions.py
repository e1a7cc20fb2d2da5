"""Given events, when a command, then events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dispatch.cases import (
    AddNote,
    Cancel,
    Case,
    Command,
    GiveAnswer,
    Plan,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    decide,
    evolve,
)
from dispatch.cases.decisions import PRESSES_RECORDED, is_news, is_overtaken, is_repeat, was_passed_over
from dispatch.errors import Conflict, DispatchError, Forbidden, NotFound
from dispatch.events import (
    AlarmRaised,
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    CaseNoted,
    CaseResolved,
    Event,
    PlannedCall,
    Press,
    PressedAgain,
    Reason,
    ResponderReplied,
    RespondersCalled,
)
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId, PersonId, PressId, case_id_for

T0 = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HOUSEHOLD = HouseholdId("h-1")
CASE = case_id_for(HOUSEHOLD, PressId("press-1"))
ANNA, BO, STRANGER = PersonId("anna"), PersonId("bo"), PersonId("stranger")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def call(who: PersonId) -> PlannedCall:
    return PlannedCall(responder=who, reasons=(Reason("member", "g-1"),), channels=("live", "webhook"))


PLAN = Plan(group=GroupId("g-1"), areas=(AreaId("v-1"), AreaId("c-1")), calls=(call(ANNA), call(BO)))


def press(name: str, seconds: float = 0, plan: Plan | None = None, *, drill: bool = False) -> RaiseAlarm:
    pressed = Press(
        press=PressId(name), household=HOUSEHOLD, device="key", source="http", pressed_at=at(seconds), drill=drill
    )
    return RaiseAlarm(
        id=CommitId(f"press-{name}"), at=at(seconds + 0.1), accepted_at=at(seconds), press=pressed, plan=plan
    )


def answer(who: PersonId, what: str, seconds: float = 10, eta: int | None = None, name: str = "r") -> GiveAnswer:
    return GiveAnswer(
        id=CommitId(f"{name}-{who}-{what}-{eta}"),
        at=at(seconds),
        responder=who,
        answer=what,  # type: ignore[arg-type]
        via="page",
        eta_minutes=eta,
    )


def outcome(who: PersonId, what: str, seconds: float = 1, channel: str = "webhook", step: int = 0) -> CallOutcome:
    return CallOutcome(step=step, responder=who, channel=channel, outcome=what, at=at(seconds))  # type: ignore[arg-type]


def record(*outcomes: CallOutcome) -> RecordCalls:
    return RecordCalls(id=CommitId(f"record-{hash(outcomes)}"), at=at(2), outcomes=outcomes)


RESOLVE = Resolve(id=CommitId("resolve"), at=at(600), by="op", resolution="helped", text="thief gone")
CANCEL = Cancel(id=CommitId("cancel"), at=at(30), by="device", reason="a slip")
NOTE = AddNote(id=CommitId("note"), at=at(700), author="op", text="door was open")


def given(*commands: Command) -> Case:
    """A case on which these commands were carried out, one commit each."""
    case = Case()
    for command in commands:
        case = after(case, decide(case, command))
    return case


def after(case: Case, events: Sequence[Event]) -> Case:
    for event in events:
        case = evolve(case, event)
    return case


RAISED = (press("press-1", plan=PLAN),)


def test_a_later_press_that_is_silent_makes_the_case_silent_and_calls_again() -> None:
    case = given(*RAISED)
    silent = press("silent", 5, PLAN)
    silent = replace(silent, press=replace(silent.press, silent=True))
    again, called = decide(case, silent)
    assert isinstance(called, RespondersCalled)
    after = evolve(case, again)
    assert (case.silent, after.silent) == (False, True)
    assert not is_news(after, replace(silent, press=replace(silent.press, press=PressId("more"))))


@pytest.mark.parametrize("change", [{"device": "other"}, {"kind": "fire"}, {"silent": True}])
def test_the_id_of_another_device_or_emergency_is_no_repetition(change: dict[str, object]) -> None:
    same = press("press-1", 5, PLAN)
    assert is_repeat(given(*RAISED), same)
    assert not is_repeat(given(*RAISED), replace(same, press=replace(same.press, **change)))


def test_a_flood_swallows_no_news() -> None:
    case = Case()
    for number in range(25):
        for event in decide(case, press(f"p{number}", number / 10, PLAN)):
            case = evolve(case, event)
    assert len(case.presses) == 20
    fire = press("fire", 3, PLAN)
    fire = replace(fire, press=replace(fire.press, kind="fire"))
    assert [type(event) for event in decide(case, fire)] == [PressedAgain, RespondersCalled]


def test_the_first_press_raises_the_alarm_and_calls_everybody_at_once() -> None:
    assert decide(Case(), *RAISED) == [
        AlarmRaised(
            at=at(0.1),
            case=CASE,
            household=HOUSEHOLD,
            press=PressId("press-1"),
            device="key",
            kind="help",
            source="http",
            pressed_at=T0,
            accepted_at=T0,
            group=GroupId("g-1"),
            areas=PLAN.areas,
        ),
        RespondersCalled(at=at(0.1), step=0, calls=PLAN.calls),
    ]


def test_the_same_press_twice_is_one_press() -> None:
    assert decide(given(*RAISED), press("press-1", 5)) == []


def test_another_press_is_recorded_on_the_open_case() -> None:
    assert decide(given(*RAISED), press("press-2", 0.2)) == [
        PressedAgain(
            at=at(0.2 + 0.1),
            press=PressId("press-2"),
            device="key",
            kind="help",
            source="http",
            pressed_at=at(0.2),
            accepted_at=at(0.2),
        )
    ]


def test_a_press_that_knows_more_calls_everybody_again() -> None:
    fire = replace(press("fire", 30, plan=PLAN), press=replace(press("fire", 30).press, kind="fire"))
    events = decide(given(*RAISED), fire)
    assert [type(event) for event in events] == [PressedAgain, RespondersCalled]
    assert events[1] == RespondersCalled(at=at(30.1), step=1, calls=PLAN.calls)
    case = given(*RAISED, fire)
    assert (case.kind, case.last_step) == ("fire", 1)
    more = replace(fire, id=CommitId("more"), press=replace(fire.press, press=PressId("more")))
    assert [type(event) for event in decide(case, more)] == [PressedAgain], "what is known already calls nobody"


def test_a_case_that_nobody_closed_does_not_swallow_the_next_emergency() -> None:
    assert not is_news(given(*RAISED), press("soon", 200))
    late = press("late", 400, plan=PLAN)
    assert is_news(given(*RAISED), late)
    assert [type(event) for event in decide(given(*RAISED), late)] == [PressedAgain, RespondersCalled]


@pytest.mark.parametrize(("seconds", "drill", "repeat"), [(300, False, True), (900, False, False), (300, True, False)])
def test_an_id_used_twice_is_a_repetition_only_for_a_while_and_only_in_earnest(
    seconds: float, drill: bool, repeat: bool
) -> None:
    over = given(*RAISED, CANCEL)
    assert is_repeat(over, press("press-1", seconds, drill=drill)) is repeat


def test_what_does_not_fit_a_case_cannot_stop_it_from_being_read() -> None:
    ghost = CallsRecorded(at=at(5), outcomes=(outcome(STRANGER, "sent"),))
    assert after(given(*RAISED), [ghost]).called() == {ANNA, BO}


def test_a_flood_of_presses_is_recorded_once_in_ten_seconds() -> None:
    flooded = given(*RAISED, *(press(f"more-{n}", n / 100) for n in range(100)))
    assert len(flooded.presses) == 20
    assert decide(flooded, press("soon", 9)) == []
    assert [type(e) for e in decide(flooded, press("later", 11))] == [PressedAgain]


def test_a_drill_press_on_a_real_case_is_nothing() -> None:
    assert decide(given(*RAISED), press("exercise", 5, drill=True)) == []


def test_a_real_press_overtakes_a_drill_and_nothing_else() -> None:
    real, exercise = press("real"), press("exercise", drill=True)
    drill = given(press("first", plan=PLAN, drill=True))
    assert is_overtaken(drill, real.press)
    assert not is_overtaken(drill, exercise.press)
    assert not is_overtaken(given(*RAISED), real.press)
    assert not is_overtaken(Case(), real.press)


def test_every_outcome_is_recorded_and_the_first_that_was_sent_dates_the_call() -> None:
    outcomes = (outcome(ANNA, "failed", 1, "live"), outcome(ANNA, "sent", 3), outcome(BO, "sent", 2))
    case = given(*RAISED)
    events = decide(case, record(*outcomes))
    assert events == [CallsRecorded(at=at(2), outcomes=outcomes)]
    case = after(case, events)
    assert case.firsts.called == at(2)
    assert [c.owed() for c in case.calls.values()] == [(), ("live",)]
    assert case.calls[0, ANNA].best() == outcomes[1]


@pytest.mark.parametrize(
    ("known", "said", "is_news"),
    [
        ("unknown", "sent", True),
        ("failed", "sent", True),
        ("sent", "delivered", True),
        ("delivered", "seen", True),
        ("sent", "sent", False),
        ("delivered", "sent", False),
        ("sent", "failed", False),
        ("sent", "unknown", False),
    ],
)
def test_what_is_known_of_a_call_never_goes_back(known: str, said: str, is_news: bool) -> None:
    case = given(*RAISED, record(outcome(ANNA, known)))
    assert bool(decide(case, record(outcome(ANNA, said, 5)))) is is_news


@pytest.mark.parametrize(
    ("known", "said", "is_news"),
    [
        (outcome(ANNA, "sent", 3, "sms"), outcome(ANNA, "failed", 5, "sms"), True),
        (outcome(ANNA, "sent", 5, "sms"), outcome(ANNA, "failed", 3, "sms"), False),
        (outcome(ANNA, "failed", 5, "sms"), outcome(ANNA, "sent", 3, "sms"), False),
        (outcome(ANNA, "failed", 5, "sms"), outcome(ANNA, "sent", 5, "sms"), False),
        (outcome(ANNA, "failed", 3, "sms"), outcome(ANNA, "sent", 5, "sms"), True),
        (outcome(ANNA, "delivered", 3, "sms"), outcome(ANNA, "failed", 5, "sms"), False),
        (outcome(ANNA, "failed", 5, "sms"), outcome(ANNA, "delivered", 3, "sms"), True),
    ],
)
def test_of_a_text_that_was_sent_and_one_that_failed_the_later_word_holds(
    known: CallOutcome, said: CallOutcome, is_news: bool
) -> None:
    """An SMSC takes a text first and says later that it could not be delivered."""
    case = given(*RAISED, record(known))
    assert bool(decide(case, record(said))) is is_news


def test_a_call_that_two_crashes_left_unknown_counts_both() -> None:
    case = given(*RAISED, record(outcome(ANNA, "unknown")))
    again = replace(outcome(ANNA, "unknown"), attempt=2)
    assert decide(case, record(again)) == [CallsRecorded(at=at(2), outcomes=(again,))]


def test_an_outcome_of_a_call_that_nobody_made_is_nothing() -> None:
    assert decide(given(*RAISED), record(outcome(STRANGER, "sent"), outcome(ANNA, "sent", step=7))) == []


def test_an_unknown_call_is_owed_again() -> None:
    case = given(*RAISED, record(outcome(ANNA, "unknown"), outcome(ANNA, "failed", channel="live")))
    assert case.calls[0, ANNA].owed() == ("webhook",)


def test_answers_move_the_case_and_a_changed_mind_moves_it_back() -> None:
    case = given(*RAISED)
    assert case.status == "raised"
    assert decide(case, answer(ANNA, "going", eta=5)) == [
        ResponderReplied(
            at=at(10),
            reply="r-anna-going-5",
            responder=ANNA,
            answer="going",
            via="page",
            eta_minutes=5,
        )
    ]
    assert given(*RAISED, answer(ANNA, "going")).status == "under_way"
    assert given(*RAISED, answer(ANNA, "going"), answer(ANNA, "cannot", 20)).status == "raised"
    there = given(*RAISED, answer(ANNA, "going"), answer(BO, "on_scene", 20))
    assert there.status == "on_scene"
    assert (there.firsts.answered, there.firsts.going, there.firsts.on_scene) == (at(10), at(10), at(20))


def test_the_same_answer_again_is_nothing_but_a_new_eta_is_news() -> None:
    case = given(*RAISED, answer(ANNA, "going", eta=5))
    assert decide(case, answer(ANNA, "going", 30, eta=5, name="again")) == []
    assert len(decide(case, answer(ANNA, "going", 30, eta=9))) == 1


def test_an_answer_silences_nobody() -> None:
    case = given(*RAISED, answer(ANNA, "on_scene"))
    assert {call.responder for call in case.owed()} == {ANNA, BO}


def test_only_somebody_who_was_called_can_answer() -> None:
    with pytest.raises(Forbidden):
        decide(given(*RAISED), answer(STRANGER, "going"))


def test_closing() -> None:
    case = given(*RAISED)
    assert decide(case, RESOLVE) == [CaseResolved(at=at(600), by="op", resolution="helped", text="thief gone")]
    assert decide(case, CANCEL) == [CaseCancelled(at=at(30), by="device", reason="a slip")]
    assert given(*RAISED, RESOLVE).status == "resolved"
    assert given(*RAISED, CANCEL).status == "cancelled"


@pytest.mark.parametrize("command", [press("late", 700), answer(ANNA, "going"), RESOLVE, CANCEL])
def test_what_cannot_be_done_on_a_case_that_is_over(command: Command) -> None:
    closed = given(*RAISED, Cancel(id=CommitId("c2"), at=at(20), by="op"))
    with pytest.raises(Conflict, match="is over"):
        decide(closed, command)


def test_notes_and_late_outcomes_are_still_written_down_after_the_end() -> None:
    closed = given(*RAISED, RESOLVE)
    assert decide(closed, NOTE) == [CaseNoted(at=at(700), note="note", author="op", text="door was open")]
    assert len(decide(closed, record(outcome(ANNA, "delivered", 650)))) == 1


@pytest.mark.parametrize("command", [answer(ANNA, "going"), RESOLVE, CANCEL, NOTE, record(outcome(ANNA, "sent"))])
def test_nothing_can_be_done_on_a_case_that_has_not_begun(command: Command) -> None:
    with pytest.raises(NotFound) as refused:
        decide(Case(), command)
    assert isinstance(refused.value, DispatchError)
    assert refused.value.problem()["status"] == 404


def test_a_press_without_a_plan_cannot_open_a_case() -> None:
    with pytest.raises(ValueError, match="plan"):
        decide(Case(), press("press-1"))


def many(*, drill: bool) -> list[RaiseAlarm]:
    first = press("m-0", 0, PLAN, drill=drill)
    return [first, *(press(f"m-{number}", number, drill=drill) for number in range(1, PRESSES_RECORDED))]


def test_an_alarm_in_earnest_is_not_taken_for_one_of_the_many_of_a_drill_that_it_ended() -> None:
    case = given(*many(drill=True), replace(CANCEL, at=at(60), by="system"))
    assert case.closing is not None
    assert not was_passed_over(case, press("real", 25))
    assert was_passed_over(case, press("more", 25, drill=True))


def test_news_that_came_before_a_closing_is_not_passed_over() -> None:
    case = given(*many(drill=False), replace(RESOLVE, at=at(60)))
    assert was_passed_over(case, press("more", 25))
    fire = press("fire", 25)
    assert not was_passed_over(case, replace(fire, press=replace(fire.press, kind="fire")))
