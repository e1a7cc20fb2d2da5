"""A case and its rings, for tests of what is sent."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from dispatch.cases import Call, Case, evolve
from dispatch.events import AlarmRaised, PlannedCall, Reason, RespondersCalled
from dispatch.fanout.ring import Ring, make_ring, scene_of
from dispatch.identifiers import AreaId, HouseholdId, PersonId, PressId, case_id_for
from dispatch.roster import Area, Household

AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
HOME = Household(id=HouseholdId("h-1"), name="李家", address="茅州村 12 号", area=AreaId("a-1"), note="老人独居")
VILLAGE = Area(id=AreaId("a-1"), name="茅州村", kind="village")


def alarm(**changes: object) -> AlarmRaised:
    raised = AlarmRaised(
        at=AT,
        case=case_id_for(HOME.id, PressId("p")),
        household=HOME.id,
        press=PressId("p"),
        device="d",
        kind="fire",
        source="http",
        pressed_at=AT,
        accepted_at=AT,
        areas=(VILLAGE.id,),
    )
    return replace(raised, **changes)


def case(**changes: object) -> Case:
    """A case in which p-1 is called as a member."""
    return evolve(evolve(Case(), alarm(**changes)), RespondersCalled(at=AT, step=0, calls=(planned("p-1"),)))


def planned(who: str) -> PlannedCall:
    return PlannedCall(responder=PersonId(who), reasons=(Reason("member", "g-1"),), channels=("live", "webhook"))


def call(of: Case) -> Call:
    return next(iter(of.calls.values()))


def ring(home: Household | None = HOME, **changes: object) -> Ring:
    of = case(**changes)
    return make_ring(of, call(of), scene_of(of, home, {VILLAGE.id: VILLAGE}), "https://x.example/r/abc")
