"""Commands of one case, and the case that they make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

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
from dispatch.events import (
    CallOutcome,
    Event,
    PlannedCall,
    Press,
    Reason,
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
