"""A case with two neighbours and two officers, and what can be asked of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from dispatch.cases import (
    Cancel,
    Case,
    Command,
    GiveAnswer,
    LeaveOut,
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
    ResidentsSpared,
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


def closing(case: Case) -> bool:
    wait = waits_for(case)
    return wait is not None and (wait.what, wait.until) == ("closing", None)


FIRE = Press(press=PressId("p2"), household=HOUSEHOLD, device="key", source="http", pressed_at=at(44), kind="fire")


def duress(seconds: float) -> SignalDuress:
    return SignalDuress(id=CommitId(f"duress-{seconds}"), at=at(seconds), by=f"device:{HOUSEHOLD}")


def cancelled_at_home(seconds: float) -> Cancel:
    return Cancel(id=CommitId(f"cancel-{seconds}"), at=at(seconds), by=f"device:{HOUSEHOLD}")


LIVES_THERE = replace(FIRST, residents=(ANNA,))


def silent_press(seconds: float, id_: str = "s", plan: Plan = LIVES_THERE) -> RaiseAlarm:
    pressed = replace(press(seconds).press, press=PressId(id_), silent=True)
    return RaiseAlarm(id=CommitId(id_), at=at(seconds), accepted_at=at(seconds), press=pressed, plan=plan)


def spared(events: list[Event]) -> list[tuple[int, tuple[PersonId, ...]]]:
    return [(event.step, event.people) for event in events if isinstance(event, ResidentsSpared)]


def leave_out(*who: PersonId, seconds: float = 7) -> LeaveOut:
    return LeaveOut(id=CommitId(f"out-{seconds}"), at=at(seconds), people=who, by="op")


def came_and_gave_up() -> Case:
    """After a last step that was repeated often it was enough, the others were thanked, and then it was not."""
    often = [step(position, 2000 * position) for position in range(1, 7)]
    came = [answer(ANNA, "going", 12050), answer(LI, "going", 12050)]
    return carry_out(press(), *often, *came, answer(ANNA, "cannot", 12060), answer(LI, "cannot", 12061))[0]
