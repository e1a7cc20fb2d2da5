"""The fan-out is away, and something else is wrong too: what hangs, fails or is slow holds back nothing else."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from dispatch.cases import (
    Case,
    CaseDesk,
    Command,
    Handled,
    RecordCalls,
)
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import (
    CallOutcome,
    Incident,
)
from dispatch.fanout import Watchdog, own_channels, rescue, stand_in, watchdog
from dispatch.fanout.lanes import Limits
from dispatch.identifiers import CaseId, CommitId, HouseholdId, PersonId
from dispatch.roster import ApprisePoint, WebhookPoint
from dispatch.settings import Settings
from tests.integration.test_fanout_fallback import PATIENT, agree
from tests.integration.test_fanout_watchdog import hurry
from tests.messengers import messenger
from tests.phones import Phone
from tests.receivers import status
from tests.standing_in import (
    be_away_for,
    everybody_here,
    in_hand,
    looks_at,
    watching,
)
from tests.village import HOUSEHOLD, SECRET, Village, opened, outcomes


async def test_where_a_channel_has_a_queue_a_ring_waits_in_it_however_long(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(minutes=5), monkeypatch)
    monkeypatch.setattr(rescue, "HANGS", timedelta(seconds=2))
    monkeypatch.setattr(watchdog, "QUEUES", timedelta(minutes=5))
    await everybody_here(village)
    case_id, looks = await opened(village), await looks_at(village)
    await in_hand(village)
    await village.case_where(case_id, lambda case: case.alarm.at < now() - rescue.AFTER, "the first to have waited")
    first = CallOutcome(step=0, responder=PersonId("p-0"), channel="webhook", outcome="sent", at=now())
    await CaseDesk(village.log).handle(case_id, RecordCalls(id=CommitId("first"), at=now(), outcomes=(first,)))
    async with watching(village, nats_settings):

        def asked(case: Case) -> bool:
            return all((f"p-{n}", "live") in outcomes(case) for n in range(4))

        await village.case_where(case_id, asked, "the open pages, which no queue holds back, to be asked")
        await looks.some_more()
    assert village.rings() == [[], [], [], []]


async def test_looks_that_fail_now_and_then_do_not_put_it_off_for_ever(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=1), monkeypatch)
    seeing, looks = Watchdog._found, 0

    async def found(self: Watchdog) -> list[Incident]:
        nonlocal looks
        looks += 1
        if looks % 3 == 0:
            raise Unavailable("slow for a moment")
        return await seeing(self)

    monkeypatch.setattr(Watchdog, "_found", found)
    case_id = await opened(village)
    await in_hand(village)
    async with watching(village, nats_settings):
        await village.finished(case_id)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_a_ring_that_hangs_holds_back_no_later_ring_of_its_case(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "LIMITS", {"webhook": Limits(seconds=600, budget=600)})
    hanging = village.receivers[0]
    hanging.answer = hanging.hang
    await hurry(village, 1)
    async with watching(village, nats_settings):
        case_id = await village.press()

        def rung_again(case: Case) -> bool:
            return all((1, f"p-{n}") in case.calls and not case.calls[1, PersonId(f"p-{n}")].owed() for n in (1, 2, 3))

        case = await village.case_where(case_id, rung_again, "the second rings of the others")
        assert "webhook" in case.calls[0, PersonId("p-0")].owed()


async def test_a_drill_rings_after_what_is_in_earnest(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are behind one provider with one turn, which a ring of the drill holds; three more wait before the alarm."""
    monkeypatch.setattr(own_channels, "AT_ONCE", 2)
    busy = village.receivers[0]
    busy.answer = busy.hang
    await village.settle([(WebhookPoint(url=busy.url, secret=SECRET),)] * 4)
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    await village.roster.put(replace(home, id=HouseholdId("h-2")), by="test")

    def waits(case: Case) -> bool:
        return all((f"p-{n}", "live") in outcomes(case) for n in range(4))

    async with watching(village, nats_settings):
        drill = await village.press(drill=True)
        await village.case_where(drill, waits, "the rings of the drill to wait")
        alarm = await village.press(household=HouseholdId("h-2"))
        await village.case_where(alarm, waits, "the rings of the alarm to wait")
        busy.released.set()
        await village.finished(drill)
    assert [json.loads(r.body)["data"]["case"] for r in busy.requests] == [drill, *[alarm] * 4, *[drill] * 3]


async def test_a_subscription_that_is_gone_is_retired(village: Village, nats_settings: Settings) -> None:
    village.receivers[0].answer = status(410)
    await village.settle([(Phone().subscription(village.receivers[0].url),)])
    case_id = await opened(village)
    async with watching(village, nats_settings):
        await village.finished(case_id)
    person = (await village.roster.people([PersonId("p-0")]))[PersonId("p-0")]
    assert [point.retired for point in person.contact_points] == ["subscription gone (HTTP 410)"]


async def test_a_provider_that_hangs_holds_back_neither_other_channels_nor_other_providers(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_channels, "AT_ONCE", 4)
    patient = Limits(seconds=600, budget=600)
    monkeypatch.setattr(stand_in, "LIMITS", {"webhook": patient, "apprise": patient})
    hanging, other = village.receivers[0], village.receivers[1]
    hanging.answer = hanging.hang
    async with messenger() as ntfy:
        of_hanging = WebhookPoint(url=hanging.url, secret=SECRET)
        await village.settle(
            [
                *[(of_hanging, ApprisePoint(url=f"ntfy://{ntfy.host}/topic-{n}")) for n in range(6)],
                (WebhookPoint(url=other.url, secret=SECRET),),
            ]
        )
        await agree(village, PATIENT, at_once=2)
        case_id = await opened(village)
        async with watching(village, nats_settings):

            def recorded(case: Case) -> bool:
                known = outcomes(case)
                return ("p-6", "webhook") in known and all((f"p-{n}", "apprise") in known for n in range(6))

            await village.case_where(case_id, recorded, "everybody but those of the provider that hangs")
            assert len(ntfy.messages) == 6
            assert len(hanging.requests) == 2, "half of the turns"
            hanging.released.set()
            await village.finished(case_id)
    assert len(hanging.requests) == 6


async def test_what_failed_for_now_is_tried_again_and_for_good_the_next_channel_follows(
    village: Village, nats_settings: Settings
) -> None:
    village.receivers[0].answer = status(503, 200)
    village.receivers[1].answer = status(410)
    async with messenger() as ntfy:
        await village.settle(
            [
                (WebhookPoint(url=receiver.url, secret=SECRET), ApprisePoint(url=f"ntfy://{ntfy.host}/topic-{n}"))
                for n, receiver in enumerate(village.receivers)
            ]
        )
        await agree(village, PATIENT)
        async with watching(village, nats_settings):
            case_id = await village.press()
            case = await village.case_where(case_id, lambda c: ("p-1", "apprise") in outcomes(c), "the next channel")
    assert outcomes(case)["p-0", "webhook"] == ("sent", None, 1)
    assert outcomes(case)["p-1", "webhook"] == ("failed", "HTTP 410", 1)
    assert [message.to for message in ntfy.messages] == ["topic-1"]
    assert [len(rings) for rings in village.rings()] == [2, 1, 1, 1]


async def test_what_came_of_a_ring_is_recorded_when_the_log_takes_it_and_the_ring_is_not_made_again(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0
    handling = CaseDesk.handle

    async def full(self: CaseDesk, case: CaseId, command: Command) -> Handled:
        nonlocal refused
        if isinstance(command, RecordCalls) and refused < 6:
            refused += 1
            raise Unavailable("the stream is full")
        return await handling(self, case, command)

    monkeypatch.setattr(CaseDesk, "handle", full)
    case_id = await opened(village)
    async with watching(village, nats_settings):
        case = await village.finished(case_id)
    assert refused == 6
    assert outcomes(case)["p-0", "webhook"] == ("sent", None, 1)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]
