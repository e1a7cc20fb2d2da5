"""A long log: what ten, a hundred and a thousand times as many past cases cost a press and the load of a case."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from msgspec.structs import replace
from nats.aio.client import Client
from rich.progress import track

from bench.figures import Measured
from bench.loading import Message, grown, silence
from bench.one_case import PLAN, commands_of, plan, press
from bench.results import Growth, sizes_up_to
from bench.scene import console
from dispatch.cases import Case, CaseDesk, RaiseAlarm, decide, fold
from dispatch.clock import now
from dispatch.events import CASES, CaseLog, Commit, last_of_each
from dispatch.events.codec import case_subject, commit_headers, encode_events
from dispatch.identifiers import CaseId, HouseholdId, PressId, Site, case_id_for

SITE = Site("bench")
THOUSANDTH = 1000
"""The smallest log has this part of the cases of the largest."""
WITHIN = 1.3
"""As a growing roster: DESIGN.md sets no figure for a growing log."""
WARM_UP = 20
LATER = timedelta(hours=1)
"""From press to press: what was loaded or pressed a moment ago is no press that is sent again."""
Series = list[list[float]]
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_STAND_IN = HouseholdId("STANDIN00")


async def compare(cases: int, times: int, seconds: float) -> list[Growth]:
    """Logs of a thousandth of `cases` up to all of them; at each size `times` presses, and as many loads.

    The first ones are those after a silence of so many `seconds`.
    The sizes take turns, so that a busy moment of the machine hits all alike.
    """
    sizes = sizes_up_to(cases, smallest=cases // THOUSANDTH)
    gets, loads, publishes, presses = (Series([] for _ in sizes) for _ in range(4))
    async with grown(sizes, past, "cases") as clients:
        chance = random.Random(cases)
        for number in track(range(times + WARM_UP), description="presses", console=console, transient=True):
            if number == WARM_UP:
                await silence(seconds)
            for place, size in enumerate(sizes):
                nc, one, other, third = clients[place], *(home(chance.randrange(size)) for _ in range(3))
                took = (
                    await _get(nc, one),
                    await _load(nc, other),
                    await _publish(nc, one),
                    await _press(nc, third, number),
                )
                if number >= WARM_UP:
                    for series, new in zip((gets, loads, publishes, presses), took, strict=True):
                        series[place].append(new)

    def growth(title: str, ours: str, bare: str, mine: Series, least: Series) -> Growth:
        measured, beside = [Measured(ours, took) for took in mine], [Measured(bare, took) for took in least]
        return Growth(title, "past cases in the log", sizes, measured, beside, WITHIN, facts=facts)

    facts = {"commits_of_a_case": len(commands_of(_STAND_IN, _BEGAN)), "seconds_of_silence_before": seconds}
    return [
        growth("a press opens a case of a household that had one", "press", "one publish, fsynced", presses, publishes),
        growth("load of a past case", "load", "one direct get", loads, gets),
    ]


async def _get(nc: Client, household: HouseholdId) -> float:
    began = time.perf_counter_ns()
    found = await last_of_each(nc, CASES, [case_subject(SITE, case_of(household), household)])
    took = time.perf_counter_ns() - began
    assert len(found) == 1
    return took / 1e6


async def _load(nc: Client, household: HouseholdId) -> float:
    began = time.perf_counter_ns()
    case = await CaseDesk(CaseLog(nc, SITE)).load(case_of(household))
    took = time.perf_counter_ns() - began
    assert case.closing is not None
    return took / 1e6


async def _publish(nc: Client, household: HouseholdId) -> float:
    body, js = _bodies()[0], nc.jetstream()
    began = time.perf_counter_ns()
    await js.publish(f"cases.bare.{household}.x", body)
    return (time.perf_counter_ns() - began) / 1e6


async def _press(nc: Client, household: HouseholdId, number: int) -> float:
    pressing = press(household, f"again-{number}", now() + LATER * (number + 1))
    began = time.perf_counter_ns()
    pressed = await CaseDesk(CaseLog(nc, SITE)).press(pressing, plan)
    took = time.perf_counter_ns() - began
    assert pressed.events
    over = commands_of(household, now())[-1]
    await CaseDesk(CaseLog(nc, SITE)).handle(pressed.case.id, over)  # else the household's next press opens none
    return took / 1e6


def home(number: int) -> HouseholdId:
    """As long as the stand-in's id."""
    return HouseholdId(f"h{number:08d}")


def case_of(household: HouseholdId) -> CaseId:
    return case_id_for(household, PressId("first"))


def past(cases: int) -> Iterator[Message]:
    """The commits of so many cases, each of its own household, as `CaseLog` stores them."""
    bodies, standing_in, name = _bodies(), _STAND_IN.encode(), case_of(_STAND_IN).encode()
    for number in range(cases):
        household = home(number)
        case = case_of(household)
        subject, began = case_subject(SITE, case, household), _BEGAN + timedelta(seconds=number)
        for command, body in zip(_IDS, bodies, strict=True):
            mine = body.replace(name, case.encode()).replace(standing_in, household.encode())
            yield subject, mine, commit_headers(SITE, case, command, began)


@cache
def _bodies() -> list[bytes]:
    """The commits of the stand-in's case, decided as every case is."""
    case, bodies = Case(), []
    for seq, command in enumerate(commands_of(_STAND_IN, _BEGAN), start=1):
        if seq == 1:
            assert isinstance(command, RaiseAlarm)
            events = decide(case, replace(command, plan=PLAN, case=case_of(_STAND_IN)))
        else:
            events = decide(case, command)
        commit = Commit(id=command.id, case=case_of(_STAND_IN), events=tuple(events), seq=seq, stored_at=command.at)
        case = fold([commit], case)
        bodies.append(encode_events(events))
    return bodies


_IDS = [command.id for command in commands_of(_STAND_IN, _BEGAN)]
