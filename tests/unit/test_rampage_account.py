"""The account of the fault suite finds what it is there to find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from dispatch.cases import Case, evolve
from dispatch.events import CallOutcome, CallsRecorded, Channel, Outcome
from dispatch.identifiers import CaseId, HouseholdId, PersonId
from tests.faults.rampage.account import Account, Crash, account
from tests.rings import AT, case

HOME, SOMEBODY = HouseholdId("h-1"), PersonId("p-1")
CASE = case()


def recorded(live: Outcome | None = None, webhook: Outcome | None = None) -> Case:
    """`CASE` with what came of the call over each channel."""
    by_channel: dict[Channel, Outcome | None] = {"live": live, "webhook": webhook}
    known = tuple(
        CallOutcome(step=0, responder=SOMEBODY, channel=channel, outcome=outcome, at=AT)
        for channel, outcome in by_channel.items()
        if outcome is not None
    )
    return evolve(CASE, CallsRecorded(at=AT, outcomes=known))


DONE = recorded(live="failed", webhook="sent")


def of(
    one: Case = DONE,
    *,
    accepted: Mapping[str, HouseholdId] | None = None,
    rung: Sequence[float] = (10.0,),
    who: PersonId = SOMEBODY,
    crashes: Sequence[Crash] = (),
    board: Mapping[CaseId, tuple[str, int]] | None = None,
) -> Account:
    rings = {(who, one.id, 0): rung} if rung else {}
    known = {one.id: ("raised", 1)} if board is None else board
    return account(kills=1, accepted=accepted or {"p": HOME}, cases=[one], rung=rings, crashes=crashes, board=known)


def test_all_is_well() -> None:
    assert of().faults == ()
    assert str(of()) == "kills=1 presses_accepted=1 presses_lost=0 calls_owed=2 calls_lost=0 extra_rings=0"


@pytest.mark.parametrize("accepted", [{"q": HOME}, {"p": HouseholdId("h-2")}])
def test_a_press_without_a_case_is_lost(accepted: Mapping[str, HouseholdId]) -> None:
    assert of(accepted=accepted).presses_lost == 1
    assert of(accepted=accepted).faults


@pytest.mark.parametrize("left", [CASE, recorded(live="failed"), recorded(live="failed", webhook="unknown")])
def test_a_call_without_an_outcome_is_lost(left: Case) -> None:
    assert of(left).calls_lost >= 1
    assert of(left).faults


def test_a_call_that_is_said_to_be_sent_and_never_rang_is_lost() -> None:
    assert of(rung=()).calls_lost == 1
    assert of(recorded(live="failed", webhook="failed"), rung=()).calls_lost == 0


def test_a_crash_excuses_one_ring_more() -> None:
    assert (of(rung=(10, 14), crashes=[Crash(11, 12)]).extra_rings, of(rung=(10, 14), crashes=[Crash(11)]).faults) == (
        1,
        (),
    )
    assert of(rung=(10, 14, 18), crashes=[Crash(11, 13), Crash(15, 16)]).faults == ()


def test_a_ring_may_come_while_the_system_comes_back_or_was_on_its_way_in_the_crash() -> None:
    assert of(rung=(10, 14), crashes=[Crash(3, 11)]).faults == ()
    assert of(rung=(10, 14), crashes=[Crash(3, 9)]).faults == ()


@pytest.mark.parametrize(
    ("rung", "crashes"),
    [
        ((10, 14), []),
        ((10, 14), [Crash(15)]),
        ((10, 14), [Crash(3, 7)]),
        ((10, 14, 15), [Crash(11, 13)]),
        ((10, 14, 18), [Crash(1, 2), Crash(2, 3), Crash(11, 16), Crash(30)]),
    ],
)
def test_a_ring_more_without_a_crash_of_its_own_is_a_fault(rung: Sequence[float], crashes: Sequence[Crash]) -> None:
    assert of(rung=rung, crashes=crashes).faults


def test_nobody_rings_who_was_not_called() -> None:
    assert of(who=PersonId("p-9")).faults


@pytest.mark.parametrize("board", [{}, {CASE.id: ("resolved", 1)}, {CASE.id: ("raised", 2)}])
def test_the_board_must_say_the_same(board: Mapping[CaseId, tuple[str, int]]) -> None:
    assert of(board=board).faults
