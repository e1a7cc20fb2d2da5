"""The fan-out worker on a real nats-server: a press goes in, phones ring, outcomes stand on the log."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from dispatch.cases import Cancel, CaseDesk, RaiseAlarm, Resolve
from dispatch.clock import now
from dispatch.events import (
    CASES,
    INTAKE,
    Press,
    RespondersCalled,
    commit_of,
    consume,
    decode_letter,
    work_consumer,
)
from dispatch.fanout import calls, directory, work
from dispatch.identifiers import CaseId, CommitId, HouseholdId, PersonId, PressId, notification_id
from dispatch.roster import CallList, Person, Roster, WebhookPoint, call_list
from dispatch.settings import Settings
from tests.phones import Phone
from tests.receivers import Receiver, status
from tests.village import HOUSEHOLD, SECRET, Village, outcomes, until, village_of
from tests.workers import working

HOOK_SENT = ("sent", None, 1)
NO_PAGE = ("failed", "no open page", 1)


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


async def letters(village: Village, by: str) -> list[str]:
    """The reasons in the DLQ."""
    info = await village.nc.jetstream().stream_info("DLQ", subjects_filter=f"dlq.{village.site}.{by}")
    if not info.state.subjects:
        return []
    last = await village.nc.jetstream().get_last_msg("DLQ", f"dlq.{village.site}.{by}")
    return [decode_letter(last.data or b"").reason] * info.state.subjects[f"dlq.{village.site}.{by}"]


async def all_acknowledged(nc: Client, stream: str, consumer: str) -> bool:
    info = await nc.jetstream().consumer_info(stream, consumer)
    return bool(info.num_pending == 0 and info.num_ack_pending == 0)


async def test_one_press_rings_everybody_and_every_outcome_is_recorded(
    village: Village, nats_settings: Settings
) -> None:
    async with working(village, nats_settings):
        case = await village.finished(await village.press())
        await until(lambda: all_acknowledged(village.nc, CASES, f"calls-{village.site}"), "the calls' message")
        await until(lambda: all_acknowledged(village.nc, INTAKE, f"fanout-{village.site}"), "the press's message")
    assert [len(receiver.requests) for receiver in village.receivers] == [1, 1, 1, 1]
    assert village.rings() == [[notification_id(case.id, PersonId(f"p-{n}"))] for n in range(4)]
    expected = {(f"p-{n}", "webhook"): HOOK_SENT for n in range(4)} | {(f"p-{n}", "live"): NO_PAGE for n in range(4)}
    assert outcomes(case) == expected
    ring = json.loads(village.receivers[0].requests[0].body)["data"]
    assert ring["title"] == "求助 · 茅州村 李家"
    assert ring["link"].startswith("https://dispatch.example/r/")


async def test_the_plan_is_on_the_log_in_the_commit_that_raises_the_alarm(
    village: Village, nats_settings: Settings
) -> None:
    async with working(village, nats_settings):
        case_id = await village.press()
        await village.finished(case_id)
    first = (await village.log.load(case_id))[0]
    assert [type(event).__name__ for event in first.events] == [
        "AlarmRaised",
        "PolicyStamped",
        "RespondersCalled",
    ]


async def test_an_endpoint_that_hangs_delays_the_record_of_nobody(village: Village, nats_settings: Settings) -> None:
    slow = village.receivers[0]
    slow.answer = slow.hang
    async with working(village, nats_settings):
        case_id = await village.press()
        case = await village.case_where(case_id, lambda c: len(outcomes(c)) == 7, "all others' outcomes")
        assert len(slow.requests) == 1
        assert ("p-0", "webhook") not in outcomes(case)
        slow.released.set()
        assert outcomes(await village.finished(case_id))["p-0", "webhook"] == HOOK_SENT


async def test_a_failure_names_its_reason_and_touches_nobody_else(village: Village, nats_settings: Settings) -> None:
    village.receivers[1].answer = status(403)
    async with working(village, nats_settings):
        case = await village.finished(await village.press())
    assert outcomes(case)["p-1", "webhook"] == ("failed", "HTTP 403", 1)
    assert [outcomes(case)[f"p-{n}", "webhook"] for n in (0, 2, 3)] == [HOOK_SENT] * 3


async def test_an_open_page_rings_and_says_so(village: Village, nats_settings: Settings) -> None:
    rung: list[Msg] = []

    async def page(message: Msg) -> None:
        rung.append(message)
        await message.respond(b'{"outcome": "delivered"}' if message.subject.endswith("p-0") else b"garbage")

    await village.nc.subscribe(f"live.{village.site}.ring.p-0", cb=page)
    await village.nc.subscribe(f"live.{village.site}.ring.p-1", cb=page)
    async with working(village, nats_settings):
        case = await village.finished(await village.press(drill=True))
    assert outcomes(case)["p-0", "live"] == ("delivered", None, 1)
    outcome, reason, _ = outcomes(case)["p-1", "live"]
    assert outcome == "failed"
    assert "cannot be read" in str(reason)
    assert len(rung) == 2
    assert json.loads(rung[0].data)["title"].startswith("【演练 DRILL】")
    assert outcomes(case)["p-2", "live"] == NO_PAGE


async def test_a_subscription_that_is_gone_is_retired_and_the_next_one_used(
    village: Village, nats_settings: Settings
) -> None:
    gone, good = Phone(), Phone()
    village.receivers[0].answer = status(410)
    village.receivers[1].answer = status(201)
    old, new = gone.subscription(village.receivers[0].url), good.subscription(village.receivers[1].url)
    await village.settle([(old, new)])
    async with working(village, nats_settings):
        case = await village.finished(await village.press())
    assert outcomes(case)["p-0", "webpush"] == HOOK_SENT
    ring = json.loads(good.decrypt(village.receivers[1].requests[0].body))
    assert ring["notification"] == notification_id(case.id, PersonId("p-0"))
    person = (await village.roster.people([PersonId("p-0")]))[PersonId("p-0")]
    assert [point.retired for point in person.contact_points] == ["subscription gone (HTTP 410)", None]


async def test_both_phones_of_one_person_ring_and_a_dead_one_stops_none(
    village: Village, nats_settings: Settings
) -> None:
    dead, good = village.receivers[0], village.receivers[1]
    dead.answer = dead.hang
    both = tuple(WebhookPoint(url=receiver.url, secret=SECRET) for receiver in (dead, good))
    await village.settle([both])
    async with working(village, nats_settings):
        case_id = await village.press()
        await until(lambda: _rung(good), "the second phone's ring while the first hangs")
        dead.released.set()
        case = await village.finished(case_id)
    assert outcomes(case)["p-0", "webhook"] == HOOK_SENT
    assert (len(dead.requests), len(good.requests)) == (1, 1)


async def _rung(receiver: Receiver) -> bool:
    return bool(receiver.requests)


async def test_a_second_press_on_an_open_case_rings_nobody_again(village: Village, nats_settings: Settings) -> None:
    async with working(village, nats_settings):
        case_id = await village.press()
        await village.finished(case_id)
        await village.press()
        case = await village.case_where(case_id, lambda c: len(c.presses) == 2, "the second press")
        await until(lambda: all_acknowledged(village.nc, CASES, f"calls-{village.site}"), "the calls' message")
    assert not case.owed()
    assert [len(receiver.requests) for receiver in village.receivers] == [1, 1, 1, 1]


async def test_presses_that_are_read_again_ring_nobody(village: Village, nats_settings: Settings) -> None:
    """The consumer was lost (restored from a copy, deleted by hand), and the stream is read from its beginning."""

    async def taken() -> None:
        await until(lambda: all_acknowledged(village.nc, INTAKE, f"fanout-{village.site}"), "every press")

    cases: list[CaseId] = []
    async with working(village, nats_settings):
        for _ in range(2):
            cases.append(await village.press())
            await village.finished(cases[-1])
            await village.press()
            await village.press(drill=True)  # passed over: the alarm is in earnest
            await village.case_where(cases[-1], lambda c: len(c.presses) == 2, "the second press")
            await taken()
            over = Resolve(id=CommitId(f"r-{cases[-1]}"), at=now(), by="op", resolution="helped")
            await CaseDesk(village.log).handle(cases[-1], over)
    await village.nc.jetstream().delete_consumer(INTAKE, f"fanout-{village.site}")
    async with working(village, nats_settings):
        await until(lambda: exists(village.nc, INTAKE, f"fanout-{village.site}"), "the consumer")
        await taken()
    words = [[json.loads(r.body)["data"]["word"] for r in receiver.requests] for receiver in village.receivers]
    assert [said.count("called") for said in words] == [2, 2, 2, 2]
    assert await village.log.cases_since(HOUSEHOLD, now() - timedelta(hours=1)) == cases


async def exists(nc: Client, stream: str, consumer: str) -> bool:
    with contextlib.suppress(NotFoundError):
        return bool((await nc.jetstream().consumer_info(stream, consumer)).name)
    return False


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


async def test_a_stored_press_is_not_pushed_out_by_what_a_mad_button_sends_while_nobody_reads(
    village: Village, nats_settings: Settings
) -> None:
    case = await village.press()
    subject = f"intake.press.{village.site}.{HOUSEHOLD}"
    for number in range(300):
        await village.nc.jetstream().publish(subject, b'{"press_id":"d%d","drill":true}' % number)
    async with working(village, nats_settings):
        opened = await village.finished(case)
    assert not opened.alarm.drill
    assert [len(receiver.requests) for receiver in village.receivers] == [1, 1, 1, 1]


async def test_an_unknown_household_opens_a_case_with_its_gap(village: Village, nats_settings: Settings) -> None:
    async with working(village, nats_settings):
        case_id = await village.press(household=HouseholdId("h-nobody"))
        case = await village.case_where(case_id, lambda c: c.is_open, "the case")
    assert case.calls == {}
    assert "h-nobody" in case.gaps[0].what


async def test_unreadable_presses_are_buried_and_stop_nothing(village: Village, nats_settings: Settings) -> None:
    async with working(village, nats_settings):
        for body in (b"\xff\x00", b"{}", b'{"press_id": "a b"}', b"x" * 5000):
            await village.nc.jetstream().publish(f"intake.press.{village.site}.h-1", body)
        await village.finished(await village.press())

        async def buried() -> bool:
            return len(await letters(village, "fanout")) == 4

        await until(buried, "four dead letters")
        await until(lambda: all_acknowledged(village.nc, INTAKE, f"fanout-{village.site}"), "the presses' messages")


async def test_calls_of_a_case_that_was_closed_meanwhile_are_not_made(
    village: Village, nats_settings: Settings
) -> None:
    case_id = await opened_without_calling(village)
    await CaseDesk(village.log).handle(case_id, Resolve(id=CommitId("r"), at=now(), by="op", resolution="helped"))
    async with working(village, nats_settings):
        case = await village.finished(case_id)
    assert set(outcomes(case).values()) == {("failed", "case closed before the call", 1)}
    assert len(outcomes(case)) == 8
    assert village.rings() == [[], [], [], []]


async def test_a_redelivery_says_unknown_and_calls_again_under_the_same_id(
    village: Village, nats_settings: Settings
) -> None:
    case_id = await opened_without_calling(village)
    await take_and_die(village)
    async with working(village, nats_settings):
        case = await village.finished(case_id)
    recorded = [event for commit in await village.log.load(case_id) for event in commit.events[0:1]][1:]
    first = recorded[0].outcomes  # type: ignore[union-attr]
    assert {(one.outcome, one.reason) for one in first} == {("unknown", "worker stopped before the outcome was known")}
    assert len(first) == 8
    assert {value[2] for value in outcomes(case).values()} == {2}
    assert village.rings() == [[notification_id(case_id, PersonId(f"p-{n}"))] for n in range(4)]


async def test_a_redelivery_calls_only_whom_nothing_is_known_of(village: Village, nats_settings: Settings) -> None:
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


async def test_a_person_who_left_the_roster_is_called_on_the_page_and_fails_in_words(
    village: Village, nats_settings: Settings
) -> None:
    case_id = await opened_without_calling(village)
    entry = await village.roster.entry("person", "p-0")
    assert entry is not None
    await village.roster.delete(entry)
    async with working(village, nats_settings):
        case = await village.finished(case_id)
    assert outcomes(case)["p-0", "webhook"] == ("failed", "no contact point for this channel any more", 1)
    assert outcomes(case)["p-1", "webhook"] == HOOK_SENT


async def test_what_a_plan_read_serves_its_calls_and_is_soon_read_again(village: Village) -> None:
    moment = now()
    book = directory.Directory(village.roster, clock=lambda: moment)
    case, person = await village.case(await opened_without_calling(village)), PersonId("p-0")
    await book.call_list(HOUSEHOLD)
    await village.roster.update_person(person, lambda p: msgspec.structs.replace(p, contact_points=()), by="test")
    assert (await book.page(case, {person})).people[person].contact_points
    moment += directory.FRESH + timedelta(milliseconds=1)
    assert not (await book.page(case, {person})).people[person].contact_points


async def test_who_is_not_in_what_was_read_is_looked_up(village: Village) -> None:
    case = await village.case(await opened_without_calling(village))
    book = directory.Directory(village.roster)
    await book.call_list(HOUSEHOLD)
    await village.roster.put(Person(id=PersonId("p-new"), name="新"), by="test")
    page = await book.page(case, {PersonId("p-0"), PersonId("p-new")})
    assert set(page.people) == {"p-0", "p-new"}
    assert page.scene.place == "茅州村 李家"


async def opened_without_calling(village: Village) -> CaseId:
    """A case whose calls are owed and were never made: its worker died between the two."""
    at = now()
    press = Press(press=PressId(uuid4().hex), household=HOUSEHOLD, device="d", source="http", pressed_at=at)
    command = RaiseAlarm(id=CommitId(f"press-{press.press}"), at=at, accepted_at=at, press=press)
    handled = await CaseDesk(village.log).press(command, village.plan)
    return handled.case.id


async def take_and_die(village: Village) -> None:
    """Take the message of the calls as a worker does, and never say anything about it again."""
    config = work_consumer(
        f"calls-{village.site}", f"cases.{village.site}.*.*", ack_wait=timedelta(seconds=3), max_ack_pending=4096
    )
    messages = consume(village.nc, CASES, config)
    message = await anext(messages)
    await messages.aclose()  # type: ignore[attr-defined]
    await message.nak()
