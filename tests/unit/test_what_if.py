"""What if: recorded cases under another policy, with the people of the record and the decisions of today."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from dispatch.cases import Case, Plan, Policy, Wait
from dispatch.cli.what_if_sheets import CsvSheet
from dispatch.events import (
    AlarmRaised,
    Answer,
    CallOutcome,
    CallsRecorded,
    CaseResolved,
    Commit,
    Escalated,
    Event,
    FellBack,
    PlannedCall,
    PolicyStamped,
    PolicyStep,
    Quorum,
    Reason,
    ResponderReplied,
    RespondersCalled,
    RespondersStoodDown,
)
from dispatch.identifiers import AreaId, CaseId, CommitId, HouseholdId, PersonId, PressId
from dispatch.what_if import Compared, Recorded, Replay, Totals, compare, recorded_of, replay

START = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
CASE = CaseId("h-1-AAAAAAAA")
STATION = PersonId("p-station")
NEIGHBOURS = (PersonId("p-1"), PersonId("p-2"))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_call(person: PersonId, *then: str) -> PlannedCall:
    role = "station" if person == STATION else "member"
    return PlannedCall(responder=person, reasons=(Reason(role, "g-1"),), channels=("webhook",), then=then)  # type: ignore[arg-type]


def policy(*within: int, anyone: int = 2) -> Policy:
    """The group first; the station after `within` seconds, each time anew."""
    first, *later = within
    after = (PolicyStep(call=("station",), within_seconds=seconds) for seconds in later)
    steps = (PolicyStep(call=("group",), within_seconds=first), *after)
    return Policy(id="p", quorum=Quorum(anyone=anyone), steps=steps, fallback_seconds=15)


def stamped(of: Policy) -> PolicyStamped:
    return PolicyStamped(at=START, policy=of.id, quorum=of.quorum, steps=of.steps, at_once=1, fallback_seconds=15)


def replied(seconds: float, person: PersonId, answer: Answer = "going") -> ResponderReplied:
    return ResponderReplied(at=at(seconds), reply=f"{person}-{seconds}", responder=person, answer=answer, via="page")


def commits(*groups: tuple[Event, ...]) -> list[Commit]:
    return [
        Commit(id=CommitId(f"c-{n}"), case=CASE, events=events, seq=n, stored_at=events[0].at)
        for n, events in enumerate(groups, start=1)
    ]


def opened(under: Policy, *then: str, drill: bool = False) -> tuple[Event, ...]:
    raised = AlarmRaised(
        at=START,
        case=CASE,
        household=HouseholdId("h-1"),
        press=PressId("p"),
        device="d",
        kind="fire",
        source="http",
        pressed_at=START,
        accepted_at=START,
        areas=(AreaId("a-1"),),
        drill=drill,
    )
    called = RespondersCalled(at=START, step=0, calls=tuple(a_call(person, *then) for person in NEIGHBOURS))
    return raised, stamped(under), called


def station_after(seconds: float) -> tuple[Event, ...]:
    step = Escalated(at=at(seconds), position=1, because="no_answer", by="system")
    return step, RespondersCalled(at=at(seconds), step=1, calls=(a_call(STATION),))


def resolved(seconds: float) -> tuple[Event, ...]:
    return (CaseResolved(at=at(seconds), by="operator:op", resolution="helped"),)


async def plans_the_station(case: Case, _position: int, _wait: Wait, _at: datetime) -> Plan:
    """A step that calls the station, as the policies here have it."""
    return Plan(group=None, areas=case.alarm.areas, calls=(a_call(STATION),))


async def would(log: list[Commit], under: Policy) -> tuple[Recorded, Compared]:
    recorded = recorded_of(log, at(5000))
    assert recorded is not None
    was = Replay.of(event for commit in log for event in commit.events)
    return recorded, compare(recorded, was, await replay(recorded, under, plans_the_station))


SLOW = commits(
    opened(policy(60, 600)),
    (replied(20, NEIGHBOURS[0]),),
    station_after(60),
    (replied(90, STATION), RespondersStoodDown(at=at(90), responders=(NEIGHBOURS[1],), by="system")),
    resolved(700),
)
"""One neighbour comes after 20 s; the station is called after a minute and comes 30 s later, which is enough."""


async def test_under_its_own_policy_a_case_goes_as_it_went() -> None:
    _, compared = await would(SLOW, policy(60, 600))
    assert compared.was == compared.would
    assert not compared.differs


async def test_under_a_quicker_policy_the_station_is_called_and_comes_the_sooner() -> None:
    _, compared = await would(SLOW, policy(30, 600))
    assert compared.would.called[STATION] == 30
    assert list(compared.would.steps) == [30]
    assert [compared.was.enough, compared.would.enough] == [90, 60]
    assert compared.called_at_another_time == (STATION,)


async def test_a_list_says_who_would_have_been_called_at_another_time() -> None:
    _, compared = await would(SLOW, policy(30, 600))
    listed = StringIO()
    CsvSheet(listed).take(compared)
    (row,) = csv.DictReader(StringIO(listed.getvalue()))
    assert row["at_another_time"] == f"{STATION}:60→30"


async def test_under_a_smaller_quorum_the_station_is_not_called() -> None:
    _, compared = await would(SLOW, policy(60, 600, anyone=1))
    assert compared.not_called_any_more == (STATION,)
    assert compared.would.enough == 20


async def test_who_was_never_called_is_taken_not_to_answer() -> None:
    alone = commits(opened(policy(600)), (replied(20, NEIGHBOURS[0]),), resolved(700))
    _, compared = await would(alone, policy(60, 600))
    assert compared.never_called_before == (STATION,)
    assert compared.would.enough is None


async def test_nothing_is_done_after_the_case_was_over() -> None:
    short = commits(opened(policy(60, 600)), resolved(45))
    _, compared = await would(short, policy(60, 600))
    assert compared.would.steps == ()


async def test_a_ring_that_failed_is_followed_by_the_next_channel_as_it_would_be() -> None:
    outcome = CallOutcome(step=0, responder=NEIGHBOURS[0], channel="webhook", outcome="failed", at=at(2), reason="gone")
    log = commits(opened(policy(60, 600), "sms"), (CallsRecorded(at=at(2), outcomes=(outcome,)),), resolved(300))
    recorded = recorded_of(log, at(5000))
    assert recorded is not None
    replayed = await replay(recorded, policy(60, 600), plans_the_station)
    fell_back = [
        (event.at, [call.responder for call in event.calls]) for event in replayed.events if isinstance(event, FellBack)
    ]
    assert fell_back == [(at(2), [NEIGHBOURS[0]]), (at(15), [NEIGHBOURS[1]])]


async def test_all_cases_together() -> None:
    slow = (await would(SLOW, policy(30, 600)))[1]
    short = (await would(commits(opened(policy(60, 600)), resolved(45)), policy(30, 600)))[1]
    totals = Totals()
    for one in (slow, short):
        totals.add(one)
    over_all = totals.summary()
    assert (over_all.cases, over_all.different) == (2, 2)
    assert (over_all.enough_was, over_all.enough_would) == (1, 1)
    assert (over_all.seconds_was, over_all.seconds_would) == (90, 60)
    assert (over_all.calls_was, over_all.calls_would) == (5, 6)


def test_a_case_without_a_beginning_is_not_replayed() -> None:
    assert recorded_of(commits(resolved(5)), at(5000)) is None


@pytest.mark.parametrize("seconds", [10, 40])
async def test_an_operators_deed_stands_at_its_moment(seconds: int) -> None:
    stood_down = RespondersStoodDown(at=at(seconds), responders=(NEIGHBOURS[1],), by="operator:op")
    log = commits(opened(policy(60, 600)), (stood_down,), resolved(50))
    recorded = recorded_of(log, at(5000))
    assert recorded is not None
    replayed = await replay(recorded, policy(600), plans_the_station)
    assert stood_down in replayed.events


async def test_a_case_that_is_open_goes_on_up_to_now() -> None:
    still_open = commits(opened(policy(60, 600)), station_after(60))
    recorded = recorded_of(still_open, at(400))
    assert recorded is not None
    replayed = await replay(recorded, policy(300, 600), plans_the_station)
    assert replayed.called()[STATION] == at(300)
