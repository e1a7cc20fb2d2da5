"""Next channels on a real nats-server: several workers, timers that are lost or rung for nothing, a watchdog."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from nats.aio.client import Client

from dispatch.cases import Case, due_at
from dispatch.events import FellBack, PolicyStep, Quorum, Timers
from dispatch.fanout.owing import owed_since
from dispatch.identifiers import AreaId, CaseId, PersonId
from dispatch.roster import ApprisePoint, EscalationPolicy, WebhookPoint
from dispatch.settings import Settings
from tests.messengers import Messenger
from tests.receivers import status
from tests.standing_in import hasten
from tests.village import SECRET, Village, outcomes, village_of
from tests.workers import several_working

PATIENT = 3600
PEOPLE = 3


@pytest.fixture
async def village(nc: Client, nats_settings: Settings, ntfy: Messenger) -> AsyncIterator[Village]:
    """Three people, each with a webhook of their own and then a topic of theirs."""
    async with village_of(nc, nats_settings.site, PEOPLE) as made:
        await made.settle(
            [
                (WebhookPoint(url=receiver.url, secret=SECRET), ApprisePoint(url=f"ntfy://{ntfy.host}/topic-{n}"))
                for n, receiver in enumerate(made.receivers)
            ]
        )
        yield made


async def agree(village: Village, fallback_seconds: int, *, at_once: int = 1, within_seconds: int = PATIENT) -> None:
    area = (await village.roster.areas([AreaId("a-1")]))[AreaId("a-1")]
    policy = EscalationPolicy(
        name="p",
        quorum=Quorum(),
        steps=(PolicyStep(call=("group",), within_seconds=within_seconds),),
        at_once=at_once,
        fallback_seconds=fallback_seconds,
    )
    await village.roster.put(replace(area, policies=(policy,)), by="test")


async def fallen_back(village: Village, case: CaseId, people: int = PEOPLE) -> Case:
    def done(known: Case) -> bool:
        return sum("apprise" in call.outcomes for call in known.calls.values()) == people and not known.owed()

    return await village.case_where(case, done, "the next channels to have rung")


def topics(ntfy: Messenger) -> list[str]:
    return sorted(message.to for message in ntfy.messages)


async def test_the_next_channel_rings_once_for_several_workers(
    village: Village, nats_settings: Settings, ntfy: Messenger
) -> None:
    await agree(village, 1)
    async with several_working(village, nats_settings, workers=3):
        case = await fallen_back(village, await village.press())
    assert topics(ntfy) == ["topic-0", "topic-1", "topic-2"]
    assert [len(receiver.requests) for receiver in village.receivers] == [1, 1, 1]
    assert outcomes(case)["p-1", "apprise"] == ("sent", None, 1)


async def test_it_rings_at_once_for_whom_all_failed_and_for_nobody_else(
    village: Village, nats_settings: Settings, ntfy: Messenger
) -> None:
    await agree(village, PATIENT)
    village.receivers[1].answer = status(404)
    async with several_working(village, nats_settings):
        case = await fallen_back(village, await village.press(), people=1)
    assert topics(ntfy) == ["topic-1"]
    (event,) = [e for commit in await village.log.load(case.id) for e in commit.events if isinstance(e, FellBack)]
    assert [(one.responder, one.channel, one.because) for one in event.calls] == [("p-1", "apprise", "failed")]


async def test_the_policy_says_how_many_ring_at_once(
    village: Village, nats_settings: Settings, ntfy: Messenger
) -> None:
    await agree(village, PATIENT, at_once=2)
    async with several_working(village, nats_settings):
        case = await fallen_back(village, await village.press())
    assert topics(ntfy) == ["topic-0", "topic-1", "topic-2"]
    assert case.calls[0, PersonId("p-0")].channels == ("live", "webhook", "apprise")


async def test_a_timer_that_is_lost_is_missed_by_the_watchdog(
    village: Village, nats_settings: Settings, ntfy: Messenger, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    await agree(village, 2)
    async with several_working(village, nats_settings, watched=True):
        case_id = await village.press()
        await village.lose_timer(case_id)
        await fallen_back(village, case_id)
    assert topics(ntfy) == ["topic-0", "topic-1", "topic-2"]


async def test_a_timer_that_rings_for_nothing_does_nothing(
    village: Village, nats_settings: Settings, ntfy: Messenger
) -> None:
    await agree(village, 1)
    timers = Timers(village.nc, village.site)
    async with several_working(village, nats_settings):
        case_id = await village.press()
        before = await fallen_back(village, case_id)
        for _ in range(5):
            await timers.ring(case_id)
        await village.timers_heeded()
        after = await village.case(case_id)
    assert after.seq == before.seq
    assert len(ntfy.messages) == PEOPLE


async def test_a_ring_of_a_next_channel_is_owed_since_it_was_decided(
    village: Village, nats_settings: Settings, ntfy: Messenger
) -> None:
    """Or the watchdog would find it late the moment it is decided."""
    await agree(village, 1)
    ntfy.deaf = True
    async with several_working(village, nats_settings):
        case_id = await village.press()
        case = await village.case_where(case_id, lambda c: any(call.fell_back for call in c.calls.values()), "it")
        assert min(owed_since(case)) > case.alarm.at
        assert {call.asked_at("webhook") for call in case.calls.values()} == {case.alarm.at}
        assert due_at(case) is not None
        ntfy.released.set()
