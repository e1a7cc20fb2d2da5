"""Escalation on a real nats-server: timers that are lost, doubled or early, and several workers at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from nats.aio.client import Client

from dispatch.cases import Case
from dispatch.events import PolicyStep, Quorum, Timers
from dispatch.identifiers import AreaId, CaseId, PersonId
from dispatch.roster import EscalationPolicy
from dispatch.settings import Settings
from tests.standing_in import hasten
from tests.village import Village, village_of
from tests.workers import several_working


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 3) as made:
        yield made


async def agree(village: Village, *within_seconds: int, quorum: Quorum | None = None) -> None:
    """Call the group, and everybody again after so many seconds, and again."""
    area = (await village.roster.areas([AreaId("a-1")]))[AreaId("a-1")]
    steps = tuple(
        PolicyStep(call=("again",) if number else ("group",), within_seconds=seconds)
        for number, seconds in enumerate(within_seconds)
    )
    policy = EscalationPolicy(name="again", quorum=quorum or Quorum(), steps=steps)
    await village.roster.put(replace(area, policies=(policy,)), by="test")


async def stepped(village: Village, case: CaseId, position: int) -> Case:
    return await village.case_where(case, lambda c: c.position >= position and not c.owed(), f"step {position}")


def rings(village: Village) -> list[int]:
    return [len(receiver.requests) for receiver in village.receivers]


async def test_each_step_is_taken_once_by_several_workers(village: Village, nats_settings: Settings) -> None:
    await agree(village, 1, 1, 3600)
    async with several_working(village, nats_settings, workers=3):
        case = await stepped(village, await village.press(), 2)
    assert rings(village) == [3, 3, 3]
    assert len({step for step, _ in case.calls}) == 3


async def test_a_step_is_taken_while_a_call_of_the_one_before_it_hangs(
    village: Village, nats_settings: Settings
) -> None:
    await agree(village, 1, 3600)
    busy = village.receivers[0]
    busy.answer = busy.hang
    async with several_working(village, nats_settings):
        case = await village.case_where(await village.press(), lambda case: case.position >= 1, "the step")
        busy.released.set()
    assert case.calls[0, PersonId("p-0")].owed() == ("webhook",)


async def test_a_timer_that_rings_for_nothing_does_nothing(village: Village, nats_settings: Settings) -> None:
    await agree(village, 3600, 3600)
    timers = Timers(village.nc, village.site)
    async with several_working(village, nats_settings):
        case_id = await village.press()
        before = (await village.finished(case_id)).seq
        await timers.ring(CaseId("h-1-ZZZZZZZZ"))
        for _ in range(5):
            await timers.ring(case_id)
        await village.timers_heeded()
    assert (await village.case(case_id)).seq == before
    assert rings(village) == [1, 1, 1]


async def test_a_timer_that_is_lost_is_missed_by_the_watchdog(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    await agree(village, 1, 3600)
    async with several_working(village, nats_settings, watched=True):
        case_id = await village.press()
        await village.lose_timer(case_id)
        await stepped(village, case_id, 1)
    assert rings(village) == [2, 2, 2]


async def test_a_policy_changed_later_leaves_an_open_case_alone(village: Village, nats_settings: Settings) -> None:
    await agree(village, 1, 3600)
    async with several_working(village, nats_settings):
        case_id = await village.press()
        await village.case_where(case_id, lambda c: c.policy is not None, "the stamp")
        await agree(village, 3600)
        case = await stepped(village, case_id, 1)
    assert case.policy is not None
    assert case.policy.policy == "a-1/again"
