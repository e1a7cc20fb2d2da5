"""`dispatch what-if` reads case by case: it says what the whole log in memory would say, and its memory has a bound."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Literal

import msgspec
import pytest
from nats.aio.client import Client

from dispatch.clock import now
from dispatch.events import (
    AlarmRaised,
    Answer,
    CallOutcome,
    CallsRecorded,
    CaseLog,
    CaseNoted,
    CaseResolved,
    Commit,
    Event,
    PlannedCall,
    Reason,
    ResponderReplied,
    RespondersCalled,
    bulk,
    commit_of,
)
from dispatch.fanout import policy_among
from dispatch.identifiers import (
    AreaId,
    CaseId,
    CommitId,
    GroupId,
    HouseholdId,
    PersonId,
    PostId,
    PressId,
    Site,
    case_id_for,
)
from dispatch.roster import Post, Roster, read_policies
from dispatch.roster.documents import Duty
from dispatch.what_if import Compared, Replay, begun, compare, reading, recorded_of, replay, steps_from, whole
from tests import commands
from tests.village import Village, village_of

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = tuple(PersonId(f"p-{n}") for n in range(3))
POLICIES = b"""[{"name": "quick", "quorum": {"anyone": 2}, "steps": [
    {"call": ["group"], "within_seconds": 20}, {"call": ["station"], "within_seconds": 60}]}]"""
STATION = Post(
    id=PostId("po-1"), name="派出所值班", area=AreaId("a-1"), role="station", duty=(Duty(person=PersonId("p-3")),)
)
Story = tuple[CaseId, list[list[Event]]]


def a_case(number: int) -> tuple[CaseId, datetime, list[Event]]:
    """The case of a household of its own, when it began, and what its first commit holds."""
    household, at = HouseholdId(f"h-{number}"), BEGAN + timedelta(minutes=number)
    case = case_id_for(household, PressId("p"))
    raised = AlarmRaised(
        at=at,
        case=case,
        household=household,
        press=PressId("p"),
        device="d",
        kind="fire",
        source="http",
        pressed_at=at,
        accepted_at=at,
        group=GroupId("g-1"),
        areas=(AreaId("a-1"),),
        drill=number % 9 == 0,
    )
    calls = tuple(
        PlannedCall(responder=person, reasons=(Reason("member", "g-1"),), channels=("webhook",), then=("sms",))
        for person in PEOPLE
    )
    return case, at, [raised, RespondersCalled(at=at, step=0, calls=calls)]


def story(number: int, chance: random.Random) -> Story:
    """A case, commit by commit: some are answered soon, some late, some never."""
    case, at, opening = a_case(number)
    commits = [opening]

    def outcome(person: PersonId) -> CallOutcome:
        what: Literal["delivered", "failed", "sent"] = chance.choice(["delivered", "failed", "sent"])
        return CallOutcome(step=0, responder=person, channel="webhook", outcome=what, at=at + timedelta(seconds=2))

    commits.append([CallsRecorded(at=at + timedelta(seconds=2), outcomes=tuple(map(outcome, PEOPLE)))])
    for person in chance.sample(PEOPLE, chance.randrange(len(PEOPLE) + 1)):
        answer: Answer = chance.choice(["going", "going", "cannot"])
        when = at + timedelta(seconds=chance.uniform(3, 40))
        commits.append([ResponderReplied(at=when, reply=str(person), responder=person, answer=answer, via="page")])
    over = at + timedelta(seconds=chance.choice([100, 300]))
    commits.append([CaseResolved(at=over, by="operator:li", resolution="helped")])
    return case, commits


async def tell(log: CaseLog, stories: list[Story], chance: random.Random) -> None:
    """Write them down as a storm does: each in its order, all mixed."""
    left = {case: iter(list(enumerate(commits))) for case, commits in stories}
    last: defaultdict[CaseId, int] = defaultdict(int)
    while left:
        case = chance.choice(list(left))
        if (following := next(left[case], None)) is None:
            del left[case]
            continue
        number, events = following
        written = await log.append(case, events, commit=CommitId(f"c-{number}"), at=events[0].at, after=last[case])
        last[case] = written.seq


async def by_the_whole_log(village: Village) -> list[Compared]:
    """What is said of the cases where all commits of the log are in memory first."""
    cases: dict[CaseId, list[Commit]] = {}
    async for message in village.log.follow():
        commit = commit_of(message)
        cases.setdefault(commit.case, []).append(commit)
        if message.metadata.num_pending == 0:
            break
    plan, found = steps_from(Roster(village.nc, village.site)), []
    for commits in cases.values():
        recorded = recorded_of(commits, now())
        assert recorded is not None
        if recorded.case.alarm.drill:
            continue
        policy = policy_among(read_policies(POLICIES, "these"), recorded.case.kind, of="what-if")
        assert policy is not None
        was = Replay.of(event for commit in commits for event in commit.events)
        found.append(compare(recorded, was, await replay(recorded, policy, plan)))
    return found


async def test_case_by_case_it_says_what_the_whole_log_says(
    nc: Client, site: Site, nats_url: str, tmp_path: Path
) -> None:
    chance = random.Random(1)
    (tmp_path / "policies.json").write_bytes(POLICIES)
    environment = os.environ | {"DISPATCH_NATS_URL": nats_url, "DISPATCH_SITE": site}
    async with village_of(nc, site, len(PEOPLE) + 1) as village:
        await village.roster.put(STATION, by="test")
        stories = [story(number, chance) for number in range(reading.AT_ONCE + 8)]
        await tell(village.log, stories, chance)
        expected = await by_the_whole_log(village)
        arguments = ("what-if", "--policy", tmp_path / "policies.json", "--json")
        code, output, _ = await commands.dispatch(*arguments, env=environment)
    told: dict[str, Any] = json.loads(output)
    assert code == 0
    assert told["cases"] == json.loads(msgspec.json.encode(expected))
    before, after = ([getattr(one, way).enough for one in expected] for way in ("was", "would"))
    assert told["summary"] == {
        "cases": len(expected),
        "different": len([one for one in expected if one.differs]),
        "enough_was": len(list(filter(None, before))),
        "enough_would": len(list(filter(None, after))),
        "seconds_was": median(filter(None, before)),
        "seconds_would": median(filter(None, after)),
        "calls_was": sum(len(one.was.called) for one in expected),
        "calls_would": sum(len(one.would.called) for one in expected),
    }
    assert 0 < told["summary"]["different"] < told["summary"]["cases"] < len(stories)


CASES, NOTES = 640, 10
NOTE = "老人跌倒" * 500
"""6,000 bytes, and 4,000 in memory."""


async def test_of_many_cases_only_a_few_are_in_memory(
    nc: Client, site: Site, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "ASKED", 32)
    log = CaseLog(nc, site)

    def long_cases() -> Iterator[tuple[CaseId, datetime, list[Event]]]:
        for number in range(CASES):
            case, at, opening = a_case(number)
            yield case, at, [*opening, *(CaseNoted(at=at, note=str(n), author="a", text=NOTE) for n in range(NOTES))]

    for case, at, events in long_cases():
        await log.append(case, events, commit=CommitId("c"), at=at, after=0)
    tracemalloc.start()
    try:
        found = await begun(nats_url, site, lambda alarm: not alarm.drill, lambda *_: None)
        notes = [len(commits[0].events) - 2 async for commits in whole(log, found)]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert notes == [NOTES] * len([number for number in range(CASES) if number % 9])
    assert most < CASES * NOTES * 4_000 / 2
