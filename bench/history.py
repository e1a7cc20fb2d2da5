"""A log to measure on: cases with thirteen responders, about 35 events each in about 20 commits, mixed."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from nats.aio.client import Client

from dispatch.cases import (
    FIRST_QUORUM,
    FIRST_STEPS,
    AddNote,
    Case,
    Command,
    GiveAnswer,
    Plan,
    Policy,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    decide,
    fold,
)
from dispatch.clock import now
from dispatch.events import Answer, CallOutcome, Commit, Event, Outcome, PlannedCall, Press, Reason, Role, connect
from dispatch.events.codec import case_subject, commit_headers, encode_events
from dispatch.identifiers import AreaId, CaseId, CommitId, GroupId, HouseholdId, PersonId, PressId, Site, case_id_for

OPEN_AT_ONCE = 64
UNACKNOWLEDGED = 512
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
APART = timedelta(minutes=10)
"""Cases of a past: the first began then, and the others one after the other so far apart."""
VILLAGES = 110
ROLES: tuple[Role, ...] = ("member",) * 10 + ("police_assistant", "auxiliary_officer", "community_police_officer")


LATELY = timedelta(minutes=40)
"""Cases of now: the first began so long ago. All of it is over by now, and none is older than an hour."""
LATELY_ENDED = timedelta(minutes=20)
"""Cases of now: the last began so long ago. It lasts a quarter of an hour at most."""


class Stored(NamedTuple):
    """A commit as it goes into the log."""

    subject: str
    body: bytes
    headers: dict[str, str]
    events: int


def commits(
    site: Site, cases: int, seed: int = 1, *, began: datetime = BEGAN, apart: timedelta = APART
) -> Iterator[Stored]:
    """The commits of `cases` cases in the order of a log in which some cases are open at the same time."""
    chance = random.Random(seed)
    running: list[Iterator[Stored]] = []
    for number in range(cases):
        running.append(_case(site, number, began + apart * number, chance))
        while len(running) >= OPEN_AT_ONCE:
            yield from _one_of(running, chance)
    while running:
        yield from _one_of(running, chance)


def _one_of(running: list[Iterator[Stored]], chance: random.Random) -> Iterator[Stored]:
    place = chance.randrange(len(running))
    try:
        yield next(running[place])
    except StopIteration:
        del running[place]


async def write(nc: Client, site: Site, cases: int) -> tuple[int, int]:
    """Append the commits of `cases` cases to the log; gives how many commits and events that were."""
    js, limit = nc.jetstream(timeout=30), asyncio.Semaphore(UNACKNOWLEDGED)
    stored = events = 0

    async def one(commit: Stored) -> None:
        try:
            await js.publish(commit.subject, commit.body, headers=commit.headers)
        finally:
            limit.release()

    async with asyncio.TaskGroup() as group:
        for commit in commits(site, cases):
            await limit.acquire()
            group.create_task(one(commit))
            stored, events = stored + 1, events + commit.events
    return stored, events


async def write_slowly(url: str, site: Site, first: int, cases: int, per_second: float) -> None:
    """Append cases of now at a steady pace of events; print of each commit its sequence and when it was sent (ns)."""
    nc = await connect(url, "publisher")
    js, loop = nc.jetstream(timeout=10), asyncio.get_running_loop()
    sent: list[tuple[int, int]] = []

    async def one(commit: Stored) -> None:
        began = time.monotonic_ns()
        ack = await js.publish(commit.subject, commit.body, headers=commit.headers)
        sent.append((ack.seq, began))

    begin, events = loop.time(), 0
    async with asyncio.TaskGroup() as group:
        apart = (LATELY - LATELY_ENDED) / cases
        for commit in commits(site, cases, seed=first, began=now() - LATELY, apart=apart):
            await asyncio.sleep(max(0.0, begin + events / per_second - loop.time()))
            group.create_task(one(commit))
            events += commit.events
    await nc.close()
    sys.stdout.write(json.dumps(sent))


def _case(site: Site, number: int, began: datetime, chance: random.Random) -> Iterator[Stored]:
    household = HouseholdId(f"past-{number:06d}")
    opening = _opening(household, f"v-{number % VILLAGES:03d}", began)
    case_id = case_id_for(household, opening.press.press)
    case, sequence, pending = Case(), 0, list[Event]()
    for command in (opening, *_what_follows(opening, chance)):
        if not (events := decide(case, command)):
            continue
        sequence += 1
        commit = Commit(id=command.id, case=case_id, events=tuple(events), seq=sequence, stored_at=command.at)
        case = fold([commit], case)
        pending += events
        if sequence == 1 or chance.random() < 0.6:  # the recorder stores together what came together
            yield _stored(site, case_id, command, pending)
            pending = []
    if pending:
        yield _stored(site, case_id, opening, pending)


def _stored(site: Site, case: CaseId, command: Command, events: list[Event]) -> Stored:
    subject = case_subject(site, case, case.rpartition("-")[0])
    commit = CommitId(f"{command.id}-{len(events)}")
    return Stored(subject, encode_events(events), commit_headers(site, case, commit, command.at), len(events))


def _opening(household: HouseholdId, village: str, at: datetime) -> RaiseAlarm:
    press = Press(
        press=PressId("p-1"), household=household, device="button-1", source="mqtt", pressed_at=at, kind="help"
    )
    calls = tuple(
        PlannedCall(
            responder=PersonId(f"{household}-m{place}" if place < 10 else f"{village}-{role}"),
            reasons=(Reason(role, village),),
            channels=("webpush",),
            then=("sms",),
        )
        for place, role in enumerate(ROLES)
    )
    plan = Plan(
        group=GroupId(f"g-{household}"),
        areas=(AreaId(village), AreaId("t-1"), AreaId("c-1")),
        calls=calls,
        policy=Policy(id="usual", quorum=FIRST_QUORUM, steps=FIRST_STEPS),
    )
    at += timedelta(milliseconds=3)
    return RaiseAlarm(id=CommitId("raise"), at=at, press=press, accepted_at=at, plan=plan)


def _what_follows(opening: RaiseAlarm, chance: random.Random) -> Iterator[Command]:
    """Thirteen calls sent and most delivered, ten answers, notes, the end."""
    assert opening.plan is not None
    people = [call.responder for call in opening.plan.calls]
    at = opening.at
    heard: tuple[tuple[Outcome, int], ...] = (("sent", 2), ("delivered", 1))
    for outcome, at_once in heard:
        for first in range(0, len(people), at_once):
            at += timedelta(seconds=chance.uniform(0.01, 0.5))
            yield _recorded(outcome, at, people[first : first + at_once])
    chance.shuffle(people)
    for person, answer in zip(people[:9], ("going", "cannot", "going", "cannot", "going") * 2, strict=False):
        at += timedelta(seconds=chance.uniform(1, 20))
        yield _answer(person, answer, at)  # type: ignore[arg-type]
    for person in people[:3:2]:
        at += timedelta(seconds=chance.uniform(60, 200))
        yield _answer(person, "on_scene", at)
    at += timedelta(minutes=2)
    yield AddNote(id=CommitId("note"), at=at, author="operator:li", text="老人在院里摔倒，邻居已扶起，血压正常")
    at += timedelta(minutes=3)
    yield Resolve(id=CommitId("end"), at=at, by="operator:li", resolution="helped", text="已送回家")


def _recorded(outcome: Outcome, at: datetime, people: list[PersonId]) -> RecordCalls:
    return RecordCalls(
        id=CommitId(f"{outcome}-{people[0]}"),
        at=at,
        outcomes=tuple(
            CallOutcome(step=0, responder=person, channel="webpush", outcome=outcome, at=at) for person in people
        ),
    )


def _answer(person: PersonId, answer: Answer, at: datetime) -> GiveAnswer:
    eta = 5 if answer == "going" else None
    return GiveAnswer(
        id=CommitId(f"{answer}-{person}"), at=at, responder=person, answer=answer, via="page", eta_minutes=eta
    )


if __name__ == "__main__":
    # A process of its own, so that sending costs whoever is measured nothing; the address holds a password.
    url, name, seed, number, pace = sys.stdin.readline().split()
    asyncio.run(write_slowly(url, Site(name), int(seed), int(number), float(pace)))
