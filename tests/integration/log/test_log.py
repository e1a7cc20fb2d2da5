"""The log on a real nats-server: what is appended is loaded and followed, and a decision on an old state is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

import pytest
from nats.aio.client import Client

from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.errors import Unavailable
from dispatch.events import (
    CaseLog,
    CaseNoted,
    Commit,
    Stale,
    commit_of,
)
from dispatch.identifiers import CaseId, CommitId, HouseholdId, PressId, case_id_for

pytestmark = pytest.mark.embedded

HOUSEHOLD = HouseholdId("h-1")
CASE = case_id_for(HOUSEHOLD, PressId("p"))


def note(text: str) -> CaseNoted:
    return CaseNoted(at=now(), note=text, author="op", text=text)


async def append(log: CaseLog, text: str, after: int, *, opens: bool = False, case: CaseId = CASE) -> int:
    newest = case if opens else None
    commit = await log.append(case, [note(text)], commit=CommitId(text), at=now(), after=after, newest=newest)
    return commit.seq


async def texts(log: CaseLog, case: CaseId = CASE) -> list[str]:
    return [event.text for commit in await log.load(case) for event in commit.events if isinstance(event, CaseNoted)]


async def test_what_is_appended_is_loaded_in_order(log: CaseLog) -> None:
    assert await log.load(CASE) == []
    assert await log.head(HOUSEHOLD) is None
    seq = await append(log, "one", 0, opens=True)
    seq = await append(log, "two", seq)
    (first, second) = await log.load(CASE)
    assert (first.id, second.id, second.seq, second.case) == ("one", "two", seq, CASE)
    assert isinstance(second.stored_at, datetime)
    assert [c.id for c in await log.load(CASE, after=first.seq)] == ["two"]
    head = await log.head(HOUSEHOLD)
    assert head is not None
    assert (head.case, head.seq) == (CASE, seq)


async def test_a_long_case_is_loaded_whole(log: CaseLog) -> None:
    seq = await append(log, "0", 0, opens=True)
    for number in range(1, 600):
        seq = await append(log, str(number), seq)
    assert await texts(log) == [str(number) for number in range(600)]


async def test_a_decision_on_an_old_state_is_refused(log: CaseLog) -> None:
    first = await append(log, "one", 0, opens=True)
    await append(log, "two", first)
    with pytest.raises(Stale):
        await append(log, "late", first)
    assert await texts(log) == ["one", "two"]


async def test_who_comes_too_late_reads_no_more_of_a_long_case_than_what_came_in_between(
    log: CaseLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = await append(log, "one", 0, opens=True)
    for number in range(20):
        last = await append(log, f"{number}", last)
    await append(log, "in between", last)
    read: list[str] = []
    load = CaseLog.load

    async def loaded(self: CaseLog, case: CaseId, *, after: int = 0) -> list[Commit]:
        commits = await load(self, case, after=after)
        read.extend(commit.id for commit in commits)
        return commits

    monkeypatch.setattr(CaseLog, "load", loaded)
    with pytest.raises(Stale):
        await append(log, "late", last)
    assert read == ["in between"]


async def test_the_same_commit_sent_again_is_stored_once(log: CaseLog) -> None:
    first = await append(log, "one", 0, opens=True)
    second = await append(log, "two", first)
    assert await append(log, "two", first) == second, "the acknowledgement was lost, and the case has not moved on"
    third = await append(log, "three", second)
    assert await append(log, "two", first) == second, "nor when it has"
    assert (await texts(log), third) == (["one", "two", "three"], third)


async def test_a_household_opens_one_case_at_a_time(log: CaseLog) -> None:
    other = case_id_for(HOUSEHOLD, PressId("other"))
    await append(log, "one", 0, opens=True)
    with pytest.raises(Stale):
        await append(log, "two", 0, opens=True, case=other)
    assert await log.load(other) == []


async def test_following_goes_on_through_a_server_that_is_killed(own_nats: EmbeddedNats, log: CaseLog) -> None:
    seen: list[str] = []

    async def watch() -> None:
        async for message in log.follow():
            seen.append(str(commit_of(message).id))
            if len(seen) == 400:
                return

    watching = asyncio.create_task(watch())
    sent = [f"n{number}" for number in range(400)]
    seq = 0
    for number, name in enumerate(sent):
        if number in {100, 250}:
            await own_nats.kill()
            await own_nats.start()
        seq = await append(log, name, seq, opens=not number)
    await asyncio.wait_for(watching, 30)
    assert seen == sent, "each once, in order"
    assert await texts(log) == sent


async def test_no_acknowledgement_no_append(
    own_nats: EmbeddedNats, log: CaseLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.events.log.APPEND_SECONDS", 0.1)
    monkeypatch.setattr("dispatch.events.log.APPEND_TRIES", 2)
    await append(log, "one", 0, opens=True)
    await own_nats.kill()
    try:
        with pytest.raises(Unavailable, match="acknowledge"):
            await append(log, "two", 1)
    finally:
        await own_nats.start()


async def test_a_log_that_does_not_answer_is_said_to_be_away(nc: Client, log: CaseLog) -> None:
    await nc.close()
    questions: list[Callable[[], Awaitable[object]]]
    questions = [partial(log.load, CASE), partial(log.head, HOUSEHOLD), log.last_sequence]
    for ask in questions:
        with pytest.raises(Unavailable):
            await ask()
