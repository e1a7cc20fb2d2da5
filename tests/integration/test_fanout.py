"""The fan-out worker on a real nats-server: a press goes in, phones ring, outcomes stand on the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.cases import Case
from dispatch.clock import now
from dispatch.events import CASES, INTAKE, OpenPages, open_pages_subject
from dispatch.fanout import directory, worker
from dispatch.fanout.open_pages import MayHavePage
from dispatch.identifiers import PersonId, Site, notification_id
from dispatch.roster import Person, WebhookPoint
from dispatch.settings import Settings
from tests.fanout_streams import HOOK_SENT, all_acknowledged
from tests.phones import Phone
from tests.receivers import Receiver, status
from tests.village import HOUSEHOLD, SECRET, Village, opened, outcomes, village_of
from tests.waiting import until
from tests.workers import working

NO_PAGE = ("failed", "no open page", 1)


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


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


async def test_an_open_page_that_takes_its_time_holds_up_no_word_of_the_others(
    village: Village, nats_settings: Settings
) -> None:
    rung: asyncio.Queue[Msg] = asyncio.Queue()
    await village.nc.subscribe(f"live.{village.site}.ring.p-0", cb=rung.put)
    async with working(village, nats_settings):
        case_id = await village.press()
        ring = await rung.get()
        others = {f"p-{n}": NO_PAGE for n in range(1, 4)}

        def pages(case: Case) -> dict[str, object]:
            return {who: came for (who, channel), came in outcomes(case).items() if channel == "live"}

        await village.case_where(case_id, lambda case: pages(case) == others, "word of those without a page")
        await ring.respond(b'{"outcome": "delivered"}')
        case = await village.finished(case_id)
    assert pages(case) == {"p-0": ("delivered", None, 1), **others}


async def test_only_those_are_asked_of_whom_a_serve_says_that_their_page_is_open(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[MayHavePage] = []

    def make(nc: Client, site: Site) -> MayHavePage:
        made.append(MayHavePage(nc, site, clock=lambda: 20 * monotonic()))
        return made[0]

    monkeypatch.setattr(worker, "MayHavePage", make)
    rung: list[str] = []

    async def page(message: Msg) -> None:
        rung.append(message.subject.rpartition(".")[2])
        await message.respond(b'{"outcome": "delivered"}')

    async def say() -> None:
        said = msgspec.json.encode(OpenPages(at="here", people=frozenset({PersonId("p-0")})))
        while True:
            await village.nc.publish(open_pages_subject(village.site), said)
            await asyncio.sleep(0.05)

    async def is_sure() -> bool:
        return bool(made) and not made[0](PersonId("p-1"))

    for person in ("p-0", "p-1"):
        await village.nc.subscribe(f"live.{village.site}.ring.{person}", cb=page)
    saying = asyncio.create_task(say())
    async with working(village, nats_settings):
        await until(is_sure, "the fan-out to be sure")
        case = await village.finished(await village.press())
    saying.cancel()
    assert rung == ["p-0"]
    assert [outcomes(case)[f"p-{n}", "live"] for n in (0, 1)] == [("delivered", None, 1), NO_PAGE]


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


async def test_a_person_who_left_the_roster_is_called_on_the_page_and_fails_in_words(
    village: Village, nats_settings: Settings
) -> None:
    case_id = await opened(village)
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
    case, person = await village.case(await opened(village)), PersonId("p-0")
    await book.call_list(HOUSEHOLD)
    await village.roster.update_person(person, lambda p: msgspec.structs.replace(p, contact_points=()), by="test")
    assert (await book.page(case, {person})).people[person].contact_points
    moment += directory.FRESH + timedelta(milliseconds=1)
    assert not (await book.page(case, {person})).people[person].contact_points


async def test_who_is_not_in_what_was_read_is_looked_up(village: Village) -> None:
    case = await village.case(await opened(village))
    book = directory.Directory(village.roster)
    await book.call_list(HOUSEHOLD)
    await village.roster.put(Person(id=PersonId("p-new"), name="新"), by="test")
    page = await book.page(case, {PersonId("p-0"), PersonId("p-new")})
    assert set(page.people) == {"p-0", "p-new"}
    assert page.scene.place == "茅州村 李家"
