"""Who is called is read while the press is still being stored, and only what is fresh makes a plan."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

import pytest
from msgspec.structs import replace
from nats.aio.client import Client

from dispatch.cases import CaseDesk
from dispatch.errors import Unavailable
from dispatch.fanout import directory
from dispatch.fanout.directory import AHEAD_AT_ONCE, AHEAD_SECONDS, Directory
from dispatch.fanout.drills import Drills
from dispatch.fanout.overheard import HEARD, overhearing
from dispatch.fanout.presses import Presses
from dispatch.fanout.rubbish import tell_rubbish
from dispatch.fanout.turns import Turns
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.roster import Household, Roster
from dispatch.settings import Settings
from tests.village import HOUSEHOLD, Village, village_of
from tests.waiting import until
from tests.workers import working


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 2) as made:
        yield made


class Counted(Roster):
    """Counts how often a household is read; the first `failing` times nobody answers, and while `held` not yet."""

    reads = failing = 0

    def __init__(self, village: Village) -> None:
        super().__init__(village.nc, village.site)
        self.held = asyncio.Event()
        self.held.set()

    async def household(self, id: HouseholdId) -> Household | None:  # noqa: A002
        self.reads += 1
        await self.held.wait()
        if self.failing:
            self.failing -= 1
            raise Unavailable("not now")
        return await super().household(id)


async def _names(book: Directory) -> set[str]:
    return {called.person.name for called in (await book.call_list(HOUSEHOLD)).called}


async def _rename(village: Village) -> None:
    await village.roster.update_person(PersonId("p-0"), lambda p: replace(p, name="新名"), by="test")


async def test_what_was_read_ahead_makes_the_plan_and_is_not_read_again(village: Village) -> None:
    roster = Counted(village)
    book = Directory(roster)
    book.read_ahead(HOUSEHOLD)
    book.read_ahead(HOUSEHOLD)
    assert len((await book.call_list(HOUSEHOLD)).called) == 2
    assert roster.reads == 1
    await _rename(village)
    assert "新名" in await _names(book), "it makes one plan and no other"


async def test_what_was_read_ahead_too_long_ago_is_read_anew(village: Village) -> None:
    moment, roster = 0.0, Counted(village)
    book = Directory(roster, timer=lambda: moment)
    book.read_ahead(HOUSEHOLD)
    moment += AHEAD_SECONDS + 0.001
    assert len((await book.call_list(HOUSEHOLD)).called) == 2
    assert roster.reads == 2


async def test_what_could_not_be_read_ahead_is_read_anew(village: Village) -> None:
    roster = Counted(village)
    roster.failing = 1
    book = Directory(roster)
    book.read_ahead(HOUSEHOLD)
    assert len((await book.call_list(HOUSEHOLD)).called) == 2
    assert roster.reads == 2


async def test_nothing_is_read_ahead_where_much_is_read_already(village: Village) -> None:
    roster = Counted(village)
    roster.held.clear()
    book = Directory(roster)
    plans = [asyncio.create_task(book.call_list(HouseholdId(f"h-{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    for number in range(3, AHEAD_AT_ONCE + 5):
        book.read_ahead(HouseholdId(f"h-{number}"))
    await asyncio.sleep(0)
    assert roster.reads == AHEAD_AT_ONCE
    roster.held.set()
    await asyncio.gather(*plans)
    for number in range(3, AHEAD_AT_ONCE):
        await book.call_list(HouseholdId(f"h-{number}"))
    reads = roster.reads
    for number in range(AHEAD_AT_ONCE):
        book.read_ahead(HouseholdId(f"h-{number}"))
    await asyncio.sleep(0)
    assert roster.reads == reads + AHEAD_AT_ONCE, "what is done is read no more"


async def test_what_is_read_ahead_counts_as_read_until_it_is_there(village: Village) -> None:
    roster = Counted(village)
    roster.held.clear()
    book = Directory(roster)
    plans = []
    for number in range(AHEAD_AT_ONCE + 5):
        book.read_ahead(HouseholdId(f"h-{number}"))
        if number < AHEAD_AT_ONCE:
            plans.append(asyncio.create_task(book.call_list(HouseholdId(f"h-{number}"))))
        await asyncio.sleep(0)
    assert roster.reads == AHEAD_AT_ONCE
    roster.held.set()
    await asyncio.gather(*plans)


async def test_what_changed_between_two_presses_is_in_the_plan_of_the_second(village: Village) -> None:
    book, desk = Directory(village.roster), CaseDesk(village.log)
    drills = Drills(village.nc, village.site, desk)
    tell = partial(tell_rubbish, village.nc, village.site)
    presses = Presses(desk, directory=book, turns=Turns(1), drills=drills, tell_rubbish=tell)
    presses.overheard(HOUSEHOLD)  # and taken by another worker, or none to be taken
    await asyncio.sleep(0)
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    await village.roster.put(replace(home, group=None), by="test")
    presses.overheard(HOUSEHOLD)
    assert not await _names(book)


async def test_what_was_read_ahead_for_nothing_is_forgotten(village: Village) -> None:
    moment, roster = 0.0, Counted(village)
    book = Directory(roster, timer=lambda: moment)
    for number in range(AHEAD_AT_ONCE):
        book.read_ahead(HouseholdId(f"h-{number}"))
    moment += AHEAD_SECONDS + 0.001
    book.read_ahead(HOUSEHOLD)
    await asyncio.sleep(0)
    assert roster.reads == AHEAD_AT_ONCE + 1, "room was made"


async def test_a_worker_reads_ahead_for_presses_that_come_in_unless_a_case_is_open(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[HouseholdId] = []
    read = directory.Directory.read_ahead

    def noted(book: Directory, household: HouseholdId) -> None:
        ahead.append(household)
        read(book, household)

    monkeypatch.setattr(directory.Directory, "read_ahead", noted)
    async with working(village, nats_settings):

        async def overheard() -> bool:  # it may not listen yet; what is no press on the log does no harm
            await village.nc.publish(f"intake.press.{village.site}.h-none", b"")
            return "h-none" in ahead

        await until(overheard, "the worker to listen")
        case_id = await village.press()
        await village.finished(case_id)
        await village.press()
        await village.case_where(case_id, lambda c: len(c.presses) == 2, "the second press")
    assert ahead.count(HOUSEHOLD) == 1


async def test_of_a_button_gone_mad_few_presses_are_overheard_and_afterwards_all_again(village: Village) -> None:
    heard: Counter[str] = Counter()

    async def is_heard(household: str) -> bool:
        await village.nc.publish(f"intake.press.{village.site}.{household}", b"")
        return heard[household] > 0

    async with overhearing(village.nc, village.site, lambda household: heard.update([household])):
        await until(partial(is_heard, "h-before"), "the first to be overheard")
        for _ in range(40 * HEARD):
            await village.nc.publish(f"intake.press.{village.site}.h-mad", b"")
        await until(partial(is_heard, "h-after"), "one to be overheard afterwards")
    assert HEARD / 2 < heard["h-mad"] <= 4 * HEARD
