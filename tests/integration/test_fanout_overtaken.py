"""A ring or a notice that waited is looked at once more before it goes, for the case may have changed meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Literal

import pytest
from nats.aio.client import Client

from dispatch.cases import CallOne, CaseDesk, Command, GiveAnswer, LeaveOut, Resolve, StandDown
from dispatch.clock import now
from dispatch.events import CASES, PlannedCall, Reason
from dispatch.fanout import worker
from dispatch.fanout.lanes import Limits
from dispatch.fanout.reasons import CLOSED, LEFT_OUT, NOT_WANTED
from dispatch.identifiers import CommitId, PersonId
from dispatch.roster import WebhookPoint
from dispatch.settings import Settings
from tests.integration.test_fanout_watchdog import settle_up
from tests.standing_in import handled
from tests.village import SECRET, Village, opened, outcomes, village_of
from tests.waiting import until
from tests.workers import working

LAST = PersonId("p-3")


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


def words(village: Village, number: int) -> list[tuple[str, str]]:
    """To whom and with what word an endpoint was rung."""
    rings = [json.loads(request.body)["data"] for request in village.receivers[number].requests]
    return [(ring["responder"], ring["word"]) for ring in rings]


async def test_word_that_one_need_not_come_does_not_go_over_a_newer_ring(
    village: Village, nats_settings: Settings
) -> None:
    """The stand-down was left lying; meanwhile an operator called one of them again."""
    case_id, desk = await opened(village), CaseDesk(village.log)
    await settle_up(village, case_id)
    await desk.handle(case_id, StandDown(id=CommitId("down"), at=now(), by="operator:wang"))
    again = PlannedCall(responder=LAST, reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    await desk.handle(case_id, CallOne(id=CommitId("again"), at=now(), by="operator:wang", call=again))
    async with working(village, nats_settings):
        await until(lambda: handled(village, CASES, "notices"), "the notices")
        await village.finished(case_id)
    assert words(village, 3) == [(LAST, "called")]
    assert [words(village, number) for number in range(3)] == [[(f"p-{number}", "stood_down")] for number in range(3)]


DEEDS: dict[str, tuple[Callable[[], Command], str]] = {
    "answered": (
        lambda: GiveAnswer(id=CommitId("deed"), at=now(), responder=LAST, answer="going", via="page"),
        NOT_WANTED,
    ),
    "stood down": (
        lambda: StandDown(id=CommitId("deed"), at=now(), by="operator:wang", responders=(LAST,)),
        NOT_WANTED,
    ),
    "left out": (lambda: LeaveOut(id=CommitId("deed"), at=now(), people=(LAST,), by="operator:wang"), LEFT_OUT),
    "closed": (lambda: Resolve(id=CommitId("deed"), at=now(), by="operator:wang", resolution="helped"), CLOSED),
}


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_ring_that_waited_for_its_turn_is_not_made_to_who_need_not_hear_it(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    """All are behind one provider with one turn, which somebody else's ring holds."""
    monkeypatch.setattr(worker, "LIMITS", {"webhook": Limits(at_once=2, seconds=60, budget=60)})
    busy = village.receivers[0]
    busy.answer = busy.hang
    await village.settle([(WebhookPoint(url=busy.url, secret=SECRET),)] * 4)
    command, reason = DEEDS[deed]
    async with working(village, nats_settings):
        case_id = await village.press()

        async def held() -> bool:
            return len(busy.requests) == 1

        await until(held, "the first ring")
        await village.case_where(case_id, lambda case: (LAST, "live") in outcomes(case), "the open pages to be asked")
        done = await CaseDesk(village.log).handle(case_id, command())
        assert done.events
        await until(lambda: handled(village, CASES, "escalation"), "the worker to have read of it")
        busy.released.set()
        rung = {PersonId(f"p-{number}") for number in range(1 if deed == "closed" else 3)}

        async def all_rung() -> bool:
            return {person for person, _ in words(village, 0)} >= rung

        await until(all_rung, "the others")
        await until(lambda: handled(village, CASES, "calls"), "every ring")
        case = await village.case(case_id)
    assert [word for person, word in words(village, 0) if person == LAST and word == "called"] == []
    assert case.calls[0, LAST].outcomes["webhook"].reason == reason


@pytest.mark.parametrize(("outcome", "rings"), [("sent", 1), ("failed", 4)])
async def test_a_ring_that_waited_for_its_turn_is_not_made_where_another_process_has_made_it_and_is_where_that_failed(
    village: Village,
    nats_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Literal["sent", "failed"],
    rings: int,
) -> None:
    monkeypatch.setattr(worker, "LIMITS", {"webhook": Limits(at_once=2, seconds=60, budget=60)})
    busy = village.receivers[0]
    busy.answer = busy.hang
    await village.settle([(WebhookPoint(url=busy.url, secret=SECRET),)] * 4)
    async with working(village, nats_settings):
        case_id = await village.press()

        async def held() -> bool:
            return len(busy.requests) == 1

        await until(held, "the first ring")
        await village.case_where(case_id, lambda case: not case.owed() or len(outcomes(case)) >= 4, "the open pages")
        await settle_up(village, case_id, outcome)
        await until(lambda: handled(village, CASES, "escalation"), "the worker to have read of it")
        busy.released.set()
        await until(lambda: handled(village, CASES, "calls"), "every ring")
    assert len(busy.requests) == rings
    known = outcomes(await village.case(case_id))
    assert {known[f"p-{n}", "webhook"][0] for n in range(4)} == {"sent"}
