"""What becomes of presses: a second one, one read again, too many, one that nobody can read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.aio.client import Client

from dispatch.cases import CaseDesk, Resolve
from dispatch.clock import now
from dispatch.events import (
    CASES,
    INTAKE,
    Incident,
    IncidentBook,
)
from dispatch.fanout import rubbish
from dispatch.fanout.floods import LETTERS
from dispatch.identifiers import CaseId, CommitId, HouseholdId
from dispatch.settings import Settings
from tests.fanout_streams import all_acknowledged, exists, letters
from tests.village import HOUSEHOLD, Village, village_of
from tests.waiting import until
from tests.workers import on_watch, working


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


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


async def test_a_button_that_sends_rubbish_without_end_pushes_out_no_letter_of_others(
    village: Village, nats_settings: Settings
) -> None:
    async with working(village, nats_settings):
        await village.finished(await village.press())
        for number in range(2 * LETTERS):
            await village.nc.jetstream().publish(f"intake.press.{village.site}.h-1", b"%d" % number)
        await village.nc.jetstream().publish(f"intake.press.{village.site}.h-2", b"oops")
        await until(lambda: all_acknowledged(village.nc, INTAKE, f"fanout-{village.site}"), "every message")
    assert len(await letters(village, "fanout")) == LETTERS + 1


async def test_the_desk_sees_whose_unreadable_presses_are_passed_over_until_that_stops(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = IncidentBook(village.nc, village.site)

    async def shown() -> dict[str, Incident]:
        return await book.told("rubbish.>")

    async def gone() -> bool:
        return not await shown()

    async with working(village, nats_settings), on_watch(village, nats_settings):
        await village.finished(await village.press())
        for number in range(LETTERS):
            await village.nc.jetstream().publish(f"intake.press.{village.site}.h-1", b"%d" % number)
        await until(lambda: all_acknowledged(village.nc, INTAKE, f"fanout-{village.site}"), "every message")
        assert await gone(), "each of them has its letter"
        begun = now()
        await village.nc.jetstream().publish(f"intake.press.{village.site}.h-1", b"one more")
        (incident,) = (await until(shown, "the incident")).values()
        assert (incident.name, incident.since >= begun) == ("rubbish.h-1", True)
        monkeypatch.setattr(rubbish, "HEARD_SECONDS", 0.1)
        await until(gone, "the incident to be over")
