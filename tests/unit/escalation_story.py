"""A case in a village with two neighbours and two officers, and what is asked of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dispatch.cases import (
    Case,
    Command,
    GiveAnswer,
    Plan,
    Policy,
    RaiseAlarm,
    RecordCalls,
    SignalDuress,
    TakeStep,
    Widen,
    decide,
    fold,
    waits_for,
)
from dispatch.events import (
    CallOutcome,
    Commit,
    Event,
    PlannedCall,
    PolicyStep,
    Press,
    Quorum,
    Reason,
    Role,
)
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId, PersonId, PressId, case_id_for

T0 = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HOUSEHOLD = HouseholdId("h-1")
CASE = case_id_for(HOUSEHOLD, PressId("p"))
ANNA, BO = PersonId("anna"), PersonId("bo")  # two neighbours
LI, WANG = PersonId("li"), PersonId("wang")  # two officers
POLICY = Policy(
    id="village",
    quorum=Quorum(neighbours=1, officers=1),
    steps=(
        PolicyStep(call=("group", "officers"), within_seconds=45),
        PolicyStep(call=("again", "neighbour_officers"), within_seconds=60),
        PolicyStep(call=("again", "command_centre"), within_seconds=30),
    ),
)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def call(who: PersonId, role: Role = "member") -> PlannedCall:
    return PlannedCall(responder=who, reasons=(Reason(role, "x"),), channels=("live", "webhook"))


FIRST = Plan(
    group=GroupId("g"),
    areas=(AreaId("v"),),
    calls=(call(ANNA), call(BO), call(LI, "auxiliary_officer")),
    policy=POLICY,
)
NEXT = Plan(group=GroupId("g"), areas=(AreaId("v"),), calls=(call(ANNA), call(WANG, "auxiliary_officer")))


def carry_out(*asked: Command, case: Case | None = None) -> tuple[Case, list[Event]]:
    """The case after `asked`, and what the last of them made happen."""
    case = case or Case()
    events: list[Event] = []
    for command in asked:
        events = decide(case, command)
        if events:
            commit = Commit(id=command.id, case=CASE, events=tuple(events), seq=case.seq + 1, stored_at=command.at)
            case = fold([commit], case)
    return case, events


def press(seconds: float = 0, plan: Plan = FIRST) -> RaiseAlarm:
    pressed = Press(press=PressId("p"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(seconds))
    return RaiseAlarm(id=CommitId("press"), at=at(seconds), accepted_at=at(seconds), press=pressed, plan=plan)


def answer(who: PersonId, what: str, seconds: float, eta: int | None = None) -> GiveAnswer:
    return GiveAnswer(
        id=CommitId(f"{who}-{what}-{seconds}"),
        at=at(seconds),
        responder=who,
        answer=what,  # type: ignore[arg-type]
        via="page",
        eta_minutes=eta,
    )


def recorded(seconds: float, **came_of: str) -> RecordCalls:
    outcomes = tuple(
        CallOutcome(step=0, responder=PersonId(who), channel=channel, outcome=what, at=at(seconds))  # type: ignore[arg-type]
        for who, what in came_of.items()
        for channel in ("live", "webhook")
    )
    return RecordCalls(id=CommitId(f"rec-{seconds}"), at=at(seconds), outcomes=outcomes)


def step(position: int, seconds: float, plan: Plan = NEXT) -> TakeStep:
    return TakeStep(
        id=CommitId(f"step-{position}-{seconds}"), at=at(seconds), position=position, plan=plan, because="no_answer"
    )


def widen(seconds: float) -> Widen:
    return Widen(id=CommitId(f"widen-{seconds}"), at=at(seconds), by="operator:wang")


def until(case: Case) -> float | None:
    wait = waits_for(case)
    assert wait is not None
    return None if wait.until is None else (wait.until - T0).total_seconds()


def duress(seconds: float) -> SignalDuress:
    return SignalDuress(id=CommitId(f"duress-{seconds}"), at=at(seconds), by=f"device:{HOUSEHOLD}")
