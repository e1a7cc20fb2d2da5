"""The watchdog on a real nats-server: what is owed, who is behind and who is silent becomes an incident, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Literal
from uuid import uuid4

import msgspec
import pytest
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.cases import AddNote, Case, CaseDesk, RecordCalls, Resolve, fold
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.events import (
    INCIDENTS,
    TIMERS,
    CallOutcome,
    Commit,
    Incident,
    PlannedCall,
    PolicyStep,
    Reason,
    RespondersCalled,
    Strained,
    connect,
    direct_get,
    ensure_streams,
)
from dispatch.fanout import backlog, owing, watchdog
from dispatch.fanout.owing import Owing
from dispatch.identifiers import AreaId, CaseId, CommitId, GroupId, HouseholdId, PersonId
from dispatch.roles import strained_subject
from dispatch.roster import EscalationPolicy, Household
from dispatch.settings import Settings
from tests.village import Village, opened, village_of
from tests.waiting import until
from tests.workers import on_watch, working


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 3) as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All time limits much shorter, for tests that wait for them."""
    for name in ("OWED", "WAITING", "SILENT", "LATE"):
        monkeypatch.setattr(watchdog, name, timedelta(seconds=0.5))
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.2)


async def incidents(village: Village) -> dict[str, Incident]:
    prefix = f"$KV.{INCIDENTS}.{village.site}."
    messages = await direct_get(village.nc, f"KV_{INCIDENTS}", {"multi_last": [f"{prefix}>"]})
    headers = [message.headers or {} for message in messages]
    return {
        of["Nats-Subject"].removeprefix(prefix): msgspec.json.decode(message.data, type=Incident)
        for message, of in zip(messages, headers, strict=True)
        if "KV-Operation" not in of
    }


async def appears(village: Village, name: str) -> Incident:
    async def found() -> Incident | None:
        return (await incidents(village)).get(name)

    return await until(found, f"incident {name}")


async def reads(village: Village, name: str, detail: str) -> None:
    """Wait until the incident says this."""

    async def so() -> bool:
        known = (await incidents(village)).get(name)
        return known is not None and known.detail == detail

    await until(so, f"incident {name} to say {detail!r}")


async def disappears(village: Village, name: str) -> None:
    async def gone() -> bool:
        return name not in await incidents(village)

    await until(gone, f"incident {name} to be over")


async def hurry(village: Village, seconds: int) -> None:
    """Give the village a policy that calls everybody again after so many seconds."""
    area = (await village.roster.areas([AreaId("a-1")]))[AreaId("a-1")]
    steps = (PolicyStep(call=("group",), within_seconds=seconds), PolicyStep(call=("again",), within_seconds=3600))
    await village.roster.put(replace(area, policies=(EscalationPolicy(name="soon", steps=steps),)), by="test")


async def settle_up(village: Village, case_id: CaseId, outcome: Literal["sent", "failed"] = "sent") -> None:
    """Record an outcome for everything that the case owes."""
    case = await village.case(case_id)
    done = tuple(
        CallOutcome(step=call.step, responder=call.responder, channel=channel, outcome=outcome, at=now())
        for call in case.owed()
        for channel in call.owed()
    )
    await CaseDesk(village.log).handle(case_id, RecordCalls(id=CommitId(uuid4().hex), at=now(), outcomes=done))


@pytest.mark.usefixtures("impatient")
async def test_calls_that_nobody_makes_are_an_incident_until_they_are_made(
    village: Village, nats_settings: Settings
) -> None:
    async with on_watch(village, nats_settings):
        case_id = await opened(village)
        incident = await appears(village, f"owed.{case_id}")
        assert incident.detail == "3 人的呼叫没有结果 / calls to 3 people without an outcome"
        assert incident.since == (await village.case(case_id)).alarm.at
        assert (await appears(village, "waiting.calls")).kind == "waiting"
        await settle_up(village, case_id)
        await disappears(village, f"owed.{case_id}")


@pytest.mark.usefixtures("impatient")
async def test_what_was_owed_before_it_started_is_found_and_what_was_done_is_not(
    village: Village, nats_settings: Settings
) -> None:
    done = await opened(village)
    await settle_up(village, done)
    await CaseDesk(village.log).handle(done, Resolve(id=CommitId("r"), at=now(), by="op", resolution="helped"))
    owing = await opened(village)
    assert owing != done
    async with on_watch(village, nats_settings):
        await appears(village, f"owed.{owing}")
        assert f"owed.{done}" not in await incidents(village)


@pytest.mark.usefixtures("impatient")
async def test_incidents_of_an_earlier_run_end_when_they_are_over(village: Village, nats_settings: Settings) -> None:
    case_id = await opened(village)
    async with on_watch(village, nats_settings):
        await appears(village, f"owed.{case_id}")
    await settle_up(village, case_id)
    assert f"owed.{case_id}" in await incidents(village)
    async with on_watch(village, nats_settings):
        await disappears(village, f"owed.{case_id}")


@pytest.mark.usefixtures("impatient")
async def test_presses_that_nobody_takes_are_an_incident_that_says_how_many_until_they_are_taken(
    village: Village, nats_settings: Settings
) -> None:
    async with on_watch(village, nats_settings):
        for number in range(1, 4):
            await village.press()
            await reads(
                village, "waiting.fanout", f"按键等待立案：{number} 个 / presses waiting to become cases: {number}"
            )
        assert now() - (await incidents(village))["waiting.fanout"].since < timedelta(seconds=20)
        async with working(village, nats_settings):
            await disappears(village, "waiting.fanout")


@pytest.mark.usefixtures("impatient")
async def test_first_rings_of_several_cases_that_wait_are_one_line_until_they_are_made(
    village: Village, nats_settings: Settings
) -> None:
    neighbours = HouseholdId("h-2")
    await village.roster.put(
        Household(id=neighbours, name="王家", address="14 号", area=AreaId("a-1"), group=GroupId("g-1")), by="test"
    )
    async with on_watch(village, nats_settings):
        first = await opened(village)
        await appears(village, f"owed.{first}")
        assert "backlog.first-rings" not in await incidents(village), "of one case its own line says it"
        second = await opened(village, neighbours)
        await reads(
            village,
            "backlog.first-rings",
            "首次呼叫等待中：2 起警情 6 人 / first rings waiting: 6 people in 2 cases",
        )
        assert (await incidents(village))["backlog.first-rings"].since == (await village.case(first)).alarm.at
        await settle_up(village, second)
        await disappears(village, "backlog.first-rings")


@pytest.mark.usefixtures("impatient")
async def test_that_presses_are_not_stored_is_an_incident_while_it_is_said(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "HEARD_SECONDS", 1.5)
    begun = now()
    async with on_watch(village, nats_settings):

        async def say(who: str, refused: int, waiting: int) -> None:
            word = Strained(who=who, since=begun, refused=refused, slow=1, waiting=waiting)
            await village.nc.publish(strained_subject(village.site), msgspec.json.encode(word))

        async def told() -> bool:
            await say("one", 2, 0)
            await say("other", 1, 4)
            known = (await incidents(village)).get("intake.store")
            return known is not None and "3 refused" in known.detail and "2 slow, 4 waiting" in known.detail

        await until(told, "what both say to be told")
        assert (await incidents(village))["intake.store"].since == begun
        await village.nc.publish(strained_subject(village.site), b"no word of ours")
        await disappears(village, "intake.store")


@pytest.mark.usefixtures("impatient")
async def test_a_role_that_does_not_answer_is_an_incident_until_it_does(
    village: Village, nats_settings: Settings
) -> None:
    async def here(message: Msg) -> None:
        await message.respond(b"{}")

    await village.nc.subscribe(f"ops.{village.site}.ping.serve", cb=here)
    async with on_watch(village, nats_settings):
        incident = await appears(village, "silent.fanout")
        assert "fanout" in incident.detail
        assert "silent.serve" not in await incidents(village)
        await village.nc.subscribe(f"ops.{village.site}.ping.fanout", cb=here)
        await disappears(village, "silent.fanout")


@pytest.mark.usefixtures("impatient")
async def test_a_later_step_of_a_settled_case_is_watched_again(village: Village, nats_settings: Settings) -> None:
    case_id = await opened(village)
    await settle_up(village, case_id)
    async with on_watch(village, nats_settings):
        call = PlannedCall(responder=PersonId("p-1"), reasons=(Reason("member", "g-1"),), channels=("live",))
        step = RespondersCalled(at=now(), step=1, calls=(call,))
        after = (await village.case(case_id)).seq
        await village.log.append(case_id, [step], commit=CommitId("step-1"), at=now(), after=after)
        assert (await appears(village, f"owed.{case_id}")).detail.startswith("1 人")


@pytest.mark.usefixtures("impatient")
async def test_a_step_that_nobody_takes_is_an_incident_and_is_asked_for_again(
    village: Village, nats_settings: Settings
) -> None:
    await hurry(village, 1)
    async with on_watch(village, nats_settings):
        case_id = await opened(village)
        await settle_up(village, case_id)
        await appears(village, f"late.{case_id}")
        due = await direct_get(village.nc, TIMERS, {"multi_last": [f"due.{village.site}.{case_id}"]})
        assert len(due) == 1, "rung anew every second, and there once"
        await CaseDesk(village.log).handle(case_id, Resolve(id=CommitId("r"), at=now(), by="op", resolution="helped"))
        await disappears(village, f"late.{case_id}")


@pytest.mark.usefixtures("impatient")
async def test_where_no_timer_can_be_stored_all_else_is_found(fresh_nats: EmbeddedNats) -> None:
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    async with village_of(nc, "s1", 1) as village:
        await hurry(village, 1)
        case_id = await opened(village)
        await nc.jetstream().delete_stream(TIMERS)
        async with on_watch(village, Settings(site="s1", nats_url=fresh_nats.url)):
            await appears(village, f"owed.{case_id}")
            await appears(village, f"late.{case_id}")
            await appears(village, "silent.fanout")
    await nc.close()


async def test_a_case_that_owes_nothing_is_forgotten(village: Village) -> None:
    settled = await opened(village)
    await settle_up(village, settled)
    await CaseDesk(village.log).handle(settled, Resolve(id=CommitId("r"), at=now(), by="op", resolution="helped"))
    owing_case = await opened(village)
    book = Owing(village.nc, village.log)
    following = asyncio.create_task(book.follow(now() - timedelta(hours=1)))
    await asyncio.wait_for(book.caught_up.wait(), 20)
    following.cancel()
    assert set(book._cases) == {owing_case}


@pytest.mark.usefixtures("impatient")
async def test_a_commit_that_no_case_can_take_in_does_not_end_the_watch(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an event of a later version would, in a watchdog that was not updated yet."""

    def cannot(commits: Iterable[Commit], case: Case | None = None) -> Case:
        folded = fold(commits, case)
        if any(note.text == "poison" for note in folded.notes):
            raise ValueError("poison")
        return folded

    monkeypatch.setattr(owing, "fold", cannot)
    neighbours = HouseholdId("h-2")
    await village.roster.put(
        Household(id=neighbours, name="王家", address="14 号", area=AreaId("a-1"), group=GroupId("g-1")), by="test"
    )
    async with on_watch(village, nats_settings):
        bad = await opened(village)
        await CaseDesk(village.log).handle(bad, AddNote(id=CommitId("n"), at=now(), author="op", text="poison"))
        await appears(village, f"owed.{bad}")
        good = await opened(village, neighbours)
        await appears(village, f"owed.{good}")
