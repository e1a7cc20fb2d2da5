"""Word that one need not come goes to nobody who is called: again, or for another case of the same household."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
from aiohttp import web
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.access import Links
from dispatch.cases import CallOne, Cancel, CaseDesk, Command, GiveAnswer, Resolve, SignalDuress, StandDown
from dispatch.clock import now
from dispatch.events import CASES, Channel, PlannedCall, Reason, commit_of
from dispatch.fanout import notices, work
from dispatch.fanout.channels import Sent
from dispatch.fanout.directory import Directory
from dispatch.fanout.notices import Channels, Notices
from dispatch.fanout.ring import Ring
from dispatch.fanout.told import ToldBook
from dispatch.fanout.turns import Turns
from dispatch.fanout.work import Job, LeftToOthers, Work
from dispatch.identifiers import CaseId, CommitId, PersonId
from dispatch.settings import Settings
from tests.integration.test_fanout_watchdog import settle_up
from tests.receivers import Receiver
from tests.standing_in import handled
from tests.village import HOUSEHOLD, Village, opened, village_of
from tests.waiting import until
from tests.workers import working

LAST = PersonId("p-3")


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


def stand_down() -> Command:
    return StandDown(id=CommitId("down"), at=now(), by="operator:wang")


def cancel() -> Command:
    return Cancel(id=CommitId("cancel"), at=now(), by="operator:wang")


def call_again() -> Command:
    again = PlannedCall(responder=LAST, reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    return CallOne(id=CommitId("again"), at=now(), by="operator:wang", call=again)


def told(receiver: Receiver) -> list[tuple[CaseId, str]]:
    """Of which case, and with what word, a phone was rung."""
    rings = [json.loads(request.body)["data"] for request in receiver.requests]
    return [(ring["case"], ring["word"]) for ring in rings]


async def all_read(village: Village) -> None:
    for job in ("calls", "notices"):
        await until(lambda job=job: handled(village, CASES, job), f"the worker to have read all {job}")  # type: ignore[misc]


class Refusing:
    """A provider that has the first word in hand until it is `released`, and then says that it cannot now."""

    def __init__(self) -> None:
        self.has_word, self.released = asyncio.Event(), asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        word = json.loads(await request.read())["data"]["word"]
        if word == "called" or self.has_word.is_set():
            return web.Response(status=200)
        self.has_word.set()
        await self.released.wait()
        return web.Response(status=503)


@asynccontextmanager
async def between_two_tries(village: Village, settings: Settings, deed: Command) -> AsyncIterator[CaseId]:
    """The case, while the last one's provider has the word after `deed`, which it will not take the first time."""
    provider = Refusing()
    village.receivers[3].answer = provider.answer
    async with working(village, settings):
        case = await village.press()
        await village.finished(case)
        await CaseDesk(village.log).handle(case, deed)
        await asyncio.wait_for(provider.has_word.wait(), 20)
        yield case
        provider.released.set()
        await all_read(village)


async def test_of_enough_help_is_told_only_who_is_stood_down_when_there_is(
    village: Village, nats_settings: Settings
) -> None:
    desk = CaseDesk(village.log)
    async with working(village, nats_settings):
        case = await village.press()
        await village.finished(case)
        first = StandDown(id=CommitId("first"), at=now(), by="operator:wang", responders=(LAST,))
        await desk.handle(case, first)
        await until(lambda: told(village.receivers[3])[1:] == [(case, "stood_down")], "the word to the last")
        going = GiveAnswer(id=CommitId("going"), at=now(), responder=PersonId("p-0"), answer="going", via="page")
        await desk.handle(case, going)
        second = replace(first, id=CommitId("second"), at=now(), responders=(PersonId("p-1"),))
        await desk.handle(case, second)
        await until(lambda: told(village.receivers[1])[1:] == [(case, "stood_down")], "the word with one of two going")
        await desk.handle(case, replace(going, id=CommitId("too"), at=now(), responder=PersonId("p-1")))
        await until(lambda: told(village.receivers[2])[1:] == [(case, "stood_down")], "the word when it is enough")
        await all_read(village)
    said = [json.loads(phone.requests[-1].body)["data"]["body"] for phone in village.receivers[1:]]
    assert ["已有足够人手" in one for one in said] == [False, True, False]
    assert all(said[number].startswith("您不用前往，感谢您。\n") for number in (0, 2))


async def test_who_is_called_again_between_two_tries_of_the_word_is_not_told_it_in_the_place_of_the_new_ring(
    village: Village, nats_settings: Settings
) -> None:
    async with between_two_tries(village, nats_settings, stand_down()) as case:
        await CaseDesk(village.log).handle(case, call_again())
    assert told(village.receivers[3]) == [(case, "called"), (case, "stood_down"), (case, "called")]
    assert LAST in (await village.case(case)).awaited


async def test_who_is_called_for_a_new_case_between_two_tries_is_not_told_that_the_old_one_is_over(
    village: Village, nats_settings: Settings
) -> None:
    """Cancelled by mistake, and pressed again at once."""
    async with between_two_tries(village, nats_settings, cancel()) as old:
        new = await village.press()
        await village.finished(new)
    assert told(village.receivers[3]) == [(old, "called"), (old, "over"), (new, "called")]


async def test_nor_where_the_word_was_left_lying_until_then(village: Village, nats_settings: Settings) -> None:
    old = await opened(village)
    await settle_up(village, old)
    await CaseDesk(village.log).handle(old, cancel())
    new = await opened(village)
    async with working(village, nats_settings):
        await village.finished(new)
        await all_read(village)
    assert [told(phone) for phone in village.receivers] == [[(new, "called")]] * 4


async def test_who_was_stood_down_for_the_new_case_is_told_of_the_end_of_both(
    village: Village, nats_settings: Settings
) -> None:
    old = await opened(village)
    await settle_up(village, old)
    await CaseDesk(village.log).handle(old, cancel())
    new = await opened(village)
    await settle_up(village, new)
    by_name = StandDown(id=CommitId("down"), at=now(), by="operator:wang", responders=(LAST,))
    await CaseDesk(village.log).handle(new, by_name)
    async with working(village, nats_settings):
        await all_read(village)
    assert sorted(told(village.receivers[3])) == sorted([(old, "over"), (new, "stood_down")])
    assert [told(phone) for phone in village.receivers[:3]] == [[]] * 3


async def under_duress(village: Village) -> CaseId:
    case = await opened(village)
    signal = SignalDuress(id=CommitId(f"duress-{case}"), at=now(), by=f"device:{HOUSEHOLD}")
    await CaseDesk(village.log).handle(case, signal)
    await settle_up(village, case)
    return case


async def test_the_end_of_a_case_under_duress_is_told_to_nobody_who_is_called_for_the_one_beside_it(
    village: Village, nats_settings: Settings
) -> None:
    """p-0 lives there: nobody hears more, or less, than they would have after a true cancel."""
    known = await village.roster.household(HOUSEHOLD)
    assert known is not None
    await village.roster.put(replace(known, residents=(PersonId("p-0"),)), by="test")
    first = await under_duress(village)
    second = await opened(village)
    await settle_up(village, second)
    assert (await village.case(second)).beside == first
    resolve = Resolve(id=CommitId("end"), at=now(), by="operator:wang", resolution="helped")
    await CaseDesk(village.log).handle(first, resolve)
    async with working(village, nats_settings):
        await all_read(village)
    assert [word for phone in village.receivers for word in told(phone) if word != (first, "called")] == []


async def test_while_two_go_on_under_duress_nobody_is_told_for_the_newer_that_it_is_enough(
    village: Village, nats_settings: Settings
) -> None:
    first, case = await under_duress(village), await under_duress(village)
    assert (await village.case(case)).beside == first
    await CaseDesk(village.log).handle(case, stand_down())
    assert (await village.case(case)).stood_down
    async with working(village, nats_settings):
        await all_read(village)
    assert [word for phone in village.receivers for word in told(phone) if word[1] != "called"] == []


class Heard:
    """A way to send that asks nobody before each try, and says whom it was to tell."""

    def __init__(self) -> None:
        self.people: list[PersonId] = []
        self.not_ours = frozenset[PersonId]()

    async def send(self, ring: Ring, _channel: Channel, *_: object, **__: object) -> Sent:
        if ring.responder in self.not_ours:
            raise LeftToOthers("the other worker has it")
        self.people.append(ring.responder)
        await asyncio.sleep(0)
        return Sent("sent")


async def notices_of(village: Village, desk: CaseDesk, heard: Heard) -> Notices:
    links = Links(b"0123456789abcdef0123456789abcdef", "https://dispatch.example")
    return Notices(
        desk,
        directory=Directory(village.roster),
        links=links,
        sending=cast("Channels", heard),
        turns=Turns(4),
        book=ToldBook(village.nc, village.site),
    )


async def message_of(village: Village, commit: str) -> Msg:
    """The commit as the work queue gives it."""
    subscription = await village.nc.jetstream().pull_subscribe(f"cases.{village.site}.*.*", stream=CASES)
    while True:
        for message in await subscription.fetch(16, timeout=5):
            if commit_of(message).id == commit:
                return message


async def test_a_memory_that_is_as_old_as_the_word_does_not_decide_whom_it_goes_to(village: Village) -> None:
    desk, elsewhere = CaseDesk(village.log), CaseDesk(village.log)
    case = await opened(village)
    await settle_up(village, case)
    await desk.handle(case, stand_down())
    await elsewhere.handle(case, call_again())
    heard = Heard()
    await (await notices_of(village, desk, heard)).handle(await message_of(village, "down"))
    assert sorted(heard.people) == ["p-0", "p-1", "p-2"]


async def test_a_commit_that_is_handled_twice_at_once_is_dealt_with_both_times(village: Village) -> None:
    case = await opened(village)
    await settle_up(village, case)
    await CaseDesk(village.log).handle(case, cancel())
    message = await message_of(village, "cancel")
    ours = await notices_of(village, CaseDesk(village.log), Heard())
    await asyncio.gather(ours.handle(message), ours.handle(message))


@pytest.mark.parametrize(("remembered", "times"), [(2, 1), (1, 2)])
async def test_whom_it_told_of_commits_that_others_finish_is_remembered_of_the_newest_alone(
    village: Village, monkeypatch: pytest.MonkeyPatch, remembered: int, times: int
) -> None:
    monkeypatch.setattr(notices, "IN_HAND", remembered)
    heard = Heard()
    heard.not_ours = frozenset({LAST})
    ours = await notices_of(village, CaseDesk(village.log), heard)
    case = await opened(village)
    await settle_up(village, case)
    for number in (1, 2):
        down = StandDown(
            id=CommitId(f"down-{number}"), at=now(), by="operator:wang", responders=(PersonId("p-0"), LAST)
        )
        await CaseDesk(village.log).handle(case, down)
        if number == 1:
            await CaseDesk(village.log).handle(case, call_again())
            await settle_up(village, case)
    for commit in ("down-1", "down-2", "down-1"):
        with suppress(LeftToOthers):
            await ours.handle(await message_of(village, commit))
    assert heard.people.count(PersonId("p-0")) == times


async def test_what_is_left_to_others_is_given_to_us_more_and_more_seldom(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LEFT_PAUSES_SECONDS", (0.1, 1.0))
    await opened(village)
    given: list[float] = []

    async def not_ours(_message: Msg) -> None:
        given.append(asyncio.get_running_loop().time())
        raise LeftToOthers("the other worker has it")

    async def often_enough() -> bool:
        return len(given) >= 4

    subject: Any = f"cases.{village.site}.*.*"
    job = Job(stream=CASES, subject=subject, name="left", handler=not_ours, at_once=8)
    task = asyncio.create_task(Work(village.nc, nats_settings.site, job).run())
    try:
        await until(often_enough, "it to be given four times")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert min(given[2] - given[1], given[3] - given[2]) > 0.9
