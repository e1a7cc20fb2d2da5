"""The commands of one case from its press to its end, as they come in an ordinary night."""

from __future__ import annotations

from datetime import datetime, timedelta

from bench.scene import RESPONDERS
from dispatch.cases import AddNote, Command, GiveAnswer, Plan, RaiseAlarm, RecordCalls, Resolve
from dispatch.events import CallOutcome, PlannedCall, Press, Reason
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId, PersonId, PressId

GROUP = GroupId("g-1")
PEOPLE = tuple(PersonId(f"responder-{number:02d}") for number in range(RESPONDERS))
PLAN = Plan(
    group=GROUP,
    areas=(AreaId("v-1"), AreaId("t-1"), AreaId("c-1")),
    calls=tuple(
        PlannedCall(responder=who, reasons=(Reason("member", GROUP),), channels=("webhook",)) for who in PEOPLE
    ),
)


async def plan(_press: Press) -> Plan:
    return PLAN


def press(household: HouseholdId, name: str, at: datetime) -> RaiseAlarm:
    pressed = Press(press=PressId(name), household=household, device="key", source="http", pressed_at=at)
    return RaiseAlarm(id=CommitId(f"press-{name}"), at=at, accepted_at=at, press=pressed)


def commands_of(household: HouseholdId, began: datetime) -> list[Command]:
    """The press that opens the case, the key once more, what came of the calls, answers, a note, and the end."""

    def at(seconds: float) -> datetime:
        return began + timedelta(seconds=seconds)

    def answer(who: PersonId, what: str, seconds: float, eta: int | None = None) -> GiveAnswer:
        return GiveAnswer(
            id=CommitId(f"{what}-{who}"),
            at=at(seconds),
            responder=who,
            answer=what,  # type: ignore[arg-type]
            via="page",
            eta_minutes=eta,
        )

    rung = tuple(CallOutcome(step=0, responder=who, channel="webhook", outcome="delivered", at=at(1)) for who in PEOPLE)
    return [
        press(household, "first", began),
        press(household, "again", at(0.5)),
        RecordCalls(id=CommitId("rung"), at=at(1), outcomes=rung),
        answer(PEOPLE[0], "going", 8, eta=3),
        answer(PEOPLE[1], "cannot", 11),
        answer(PEOPLE[2], "going", 20, eta=5),
        answer(PEOPLE[0], "on_scene", 170),
        AddNote(id=CommitId("note"), at=at(200), author="op", text="老人跌倒，已扶起"),
        Resolve(id=CommitId("over"), at=at(600), by="op", resolution="helped"),
    ]
