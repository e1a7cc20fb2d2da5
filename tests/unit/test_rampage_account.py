"""The account of the fault suite finds what it is there to find."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dispatch.cases import Case, evolve
from dispatch.events import CallOutcome, CallsRecorded, Channel, Outcome
from dispatch.identifiers import CaseId, HouseholdId, PersonId
from tests.faults.rampage.account import Account, account
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
    rung: int = 1,
    who: PersonId = SOMEBODY,
    crashes: int = 1,
    board: Mapping[CaseId, tuple[str, int]] | None = None,
) -> Account:
    rings = {(who, one.id): rung} if rung else {}
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
    assert of(rung=0).calls_lost == 1
    assert of(recorded(live="failed", webhook="failed"), rung=0).calls_lost == 0


def test_one_ring_more_is_excused_by_a_crash_and_two_are_not() -> None:
    assert (of(rung=2).extra_rings, of(rung=2).faults) == (1, ())
    assert of(rung=3).faults
    assert of(rung=2, crashes=0).faults


def test_nobody_rings_who_was_not_called() -> None:
    assert of(who=PersonId("p-9")).faults


@pytest.mark.parametrize("board", [{}, {CASE.id: ("resolved", 1)}, {CASE.id: ("raised", 2)}])
def test_the_board_must_say_the_same(board: Mapping[CaseId, tuple[str, int]]) -> None:
    assert of(board=board).faults
