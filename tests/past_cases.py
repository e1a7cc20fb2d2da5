"""Cases of a month that is over, on the log of a running system: nobody is called for them any more."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from dispatch.events import (
    AlarmRaised,
    CallOutcome,
    CallsRecorded,
    CaseLog,
    CaseResolved,
    Event,
    Kind,
    PlannedCall,
    Reason,
    ResponderReplied,
    RespondersCalled,
    Role,
)
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId, PersonId, PressId, case_id_for

KINDS: tuple[Kind, ...] = ("help", "fire", "medical", "intrusion")
Called = tuple[str, Role, str]
"""Who is called, as what, and of what."""


async def tell_past(
    log: CaseLog, number: int, *, at: datetime, areas: Sequence[str], called: Sequence[Called], chance: random.Random
) -> None:
    """One case that was accepted at `at`: begun, answered and closed in one commit."""
    household = HouseholdId(f"past-{number}")
    case = case_id_for(household, PressId("p"))
    events: list[Event] = [
        AlarmRaised(
            at=at,
            case=case,
            household=household,
            press=PressId("p"),
            device="d",
            kind=chance.choice(KINDS),
            source="http",
            pressed_at=at,
            accepted_at=at,
            group=GroupId("g-01"),
            areas=tuple(map(AreaId, areas)),
            response_target_seconds=chance.choice([180, 300]),
        ),
        # Without a channel nothing rings.
        RespondersCalled(
            at=at,
            step=0,
            calls=tuple(
                PlannedCall(responder=PersonId(person), reasons=(Reason(role, of),), channels=())
                for person, role, of in called
            ),
        ),
        *_answers(at, called, chance),
    ]
    end = at + timedelta(seconds=chance.uniform(600, 2200))
    resolution = chance.choice(["helped", "helped", "helped", "false_alarm"])
    events.append(CaseResolved(at=end, by="operator:li", resolution=resolution))  # type: ignore[arg-type]
    await log.append(case, events, commit=CommitId("past"), at=at, after=0)


def _answers(at: datetime, called: Sequence[Called], chance: random.Random) -> Iterator[Event]:
    rung = at + timedelta(seconds=0.4)
    outcomes = (
        CallOutcome(step=0, responder=PersonId(person), channel="live", outcome="delivered", at=rung)
        for person, _, _ in called
    )
    yield CallsRecorded(at=rung, outcomes=tuple(outcomes))
    for person, _, _ in called:
        answered = at + timedelta(seconds=chance.uniform(4, 50))
        steps = [("going", answered), ("on_scene", answered + timedelta(seconds=chance.uniform(60, 420)))]
        for answer, moment in steps[: chance.randrange(3)]:
            yield ResponderReplied(
                at=moment,
                reply=f"{person}-{answer}",
                responder=PersonId(person),
                answer=answer,  # type: ignore[arg-type]
                via="page",
            )
