"""Calls that are taken up again, or not any more: after a crash, a stop, a closing, an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.cases import Cancel, CaseDesk, Resolve
from dispatch.clock import now
from dispatch.events import (
    CASES,
    INTAKE,
    RespondersCalled,
    commit_of,
    consume,
    work_consumer,
)
from dispatch.fanout import calls, directory, work
from dispatch.identifiers import CommitId, HouseholdId, PersonId, notification_id
from dispatch.roster import CallList, Roster, call_list
from dispatch.settings import Settings
from tests.fanout_streams import HOOK_SENT, all_acknowledged, letters
from tests.village import Village, opened, outcomes, village_of
from tests.waiting import until
from tests.workers import leave_what_hangs, working


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


async def test_a_case_cancelled_while_its_calls_waited_rings_nobody(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a storm a commit may wait; this one waits for a second, while another process cancels."""
    handle = calls.Calls.handle

    async def wait(self: calls.Calls, message: Msg) -> None:
        commit = commit_of(message)
        if any(isinstance(event, RespondersCalled) for event in commit.events):
            cancel = Cancel(id=CommitId("c"), at=now(), by="device:h-1")
            await CaseDesk(village.log).handle(commit.case, cancel)
            self._clock = lambda: commit.stored_at + timedelta(seconds=1)
        await handle(self, message)

    monkeypatch.setattr(calls.Calls, "handle", wait)
    async with working(village, nats_settings):
        case = await village.finished(await village.press())
    assert village.rings() == [[], [], [], []]
    assert {outcome for outcome, *_ in outcomes(case).values()} == {"failed"}


async def test_calls_of_a_case_that_was_closed_meanwhile_are_not_made(
    village: Village, nats_settings: Settings
) -> None:
    case_id = await opened(village)
    await CaseDesk(village.log).handle(case_id, Resolve(id=CommitId("r"), at=now(), by="op", resolution="helped"))
    async with working(village, nats_settings):
        case = await village.finished(case_id)
    assert set(outcomes(case).values()) == {("failed", "case closed before the call", 1)}
    assert len(outcomes(case)) == 8
    assert village.rings() == [[], [], [], []]


async def test_a_redelivery_says_unknown_and_calls_again_under_the_same_id(
    village: Village, nats_settings: Settings
) -> None:
    case_id = await opened(village)
    await take_and_die(village)
    async with working(village, nats_settings):
        case = await village.finished(case_id)
    recorded = [event for commit in await village.log.load(case_id) for event in commit.events[0:1]][1:]
    first = recorded[0].outcomes  # type: ignore[union-attr]
    assert {(one.outcome, one.reason) for one in first} == {("unknown", "worker stopped before the outcome was known")}
    assert len(first) == 8
    assert {value[2] for value in outcomes(case).values()} == {2}
    assert village.rings() == [[notification_id(case_id, PersonId(f"p-{n}"))] for n in range(4)]


async def test_whose_phone_may_have_rung_is_told_that_the_case_is_over(
    village: Village, nats_settings: Settings
) -> None:
    """The worker was killed with the rings in its hands, and the case ended before another took them up."""
    case_id = await opened(village)
    await take_and_die(village)
    await CaseDesk(village.log).handle(case_id, Cancel(id=CommitId("c"), at=now(), by="device:h-1"))
    async with working(village, nats_settings):
        case = await village.finished(case_id)

        async def all_heard() -> bool:
            return all(receiver.requests for receiver in village.receivers)

        await until(all_heard, "the word")
    assert set(outcomes(case).values()) == {("failed", "case closed before the call", 2)}
    heard = [[json.loads(request.body)["data"] for request in receiver.requests] for receiver in village.receivers]
    assert [[ring["word"] for ring in rings] for rings in heard] == [["over"]] * 4


async def test_a_redelivery_calls_only_whom_nothing_is_known_of(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_what_hangs(monkeypatch)
    village.receivers[3].answer = village.receivers[3].hang
    async with working(village, nats_settings) as task:
        case_id = await village.press()
        await village.case_where(case_id, lambda c: len(outcomes(c)) == 7, "all others' outcomes")
        task.cancel()
    village.receivers[3].released.set()
    async with working(village, nats_settings):
        case = await village.finished(case_id)
    assert [len(receiver.requests) for receiver in village.receivers] == [1, 1, 1, 2]
    assert len(set(village.rings()[3])) == 1
    assert outcomes(case)["p-3", "webhook"] == ("sent", None, 2)


async def test_stopping_lets_calls_in_flight_finish(village: Village, nats_settings: Settings) -> None:
    slow = village.receivers[2]
    slow.answer = slow.hang
    async with working(village, nats_settings) as task:
        case_id = await village.press()
        await village.case_where(case_id, lambda c: len(outcomes(c)) == 7, "all others' outcomes")
        task.cancel()
        slow.released.set()
        await asyncio.gather(task, return_exceptions=True)
        case = await village.case(case_id)
    assert outcomes(case)["p-2", "webhook"] == HOOK_SENT
    assert len(slow.requests) == 1


async def test_an_error_that_nobody_expected_ends_in_the_dlq_and_stops_nothing(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:

    async def broken(roster: Roster, household: HouseholdId, at: datetime) -> CallList:
        if household == "h-broken":
            raise RuntimeError("boom")
        return await call_list(roster, household, at)

    monkeypatch.setattr(directory, "call_list", broken)
    monkeypatch.setattr(work, "RETRY_SECONDS", 0.01)
    async with working(village, nats_settings):
        await village.press(household=HouseholdId("h-broken"))
        await village.finished(await village.press())

        async def reasons() -> list[str]:
            return await letters(village, "fanout")

        assert await until(reasons, "the dead letter") == ["failed 5 times, at last with RuntimeError('boom')"]
        await until(lambda: all_acknowledged(village.nc, INTAKE, f"fanout-{village.site}"), "the presses' messages")


async def test_a_commit_that_cannot_be_read_is_buried(village: Village, nats_settings: Settings) -> None:
    await village.nc.jetstream().publish(f"cases.{village.site}.h-1.h-1-AAAAAAAA", b"nonsense")

    async with working(village, nats_settings):

        async def reasons() -> list[str]:
            return await letters(village, "calls")

        (reason,) = await until(reasons, "the dead letter")
    assert "not a commit" in reason


async def take_and_die(village: Village) -> None:
    """Take the message of the calls as a worker does, and never say anything about it again."""
    config = work_consumer(
        f"calls-{village.site}", f"cases.{village.site}.*.*", ack_wait=timedelta(seconds=3), max_ack_pending=4096
    )
    messages = consume(village.nc, CASES, config)
    message = await anext(messages)
    await messages.aclose()  # type: ignore[attr-defined]
    await message.nak()
