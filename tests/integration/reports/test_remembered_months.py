"""A trend by months: each that is over is remembered for itself, as of then."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from dispatch.cases import CaseDesk, LeaveOut
from dispatch.events import connect
from dispatch.identifiers import AreaId, CommitId, PersonId, case_id_for
from dispatch.projections import rebuild
from dispatch.settings import Settings
from tests.integration.reports.computing import KEYS, figures
from tests.integration.reports.office import Office
from tests.integration.reports.past import LONG_AGO
from tests.integration.reports.told import LOCAL, Told, told_by
from tests.projection_stories import NOON, press_on


def long_ago(chance: random.Random, number: int) -> Told:
    told = told_by(chance, number)
    at = LONG_AGO["since"] + timedelta(
        days=chance.choice([3, 27, 28, 55, 70, 140]), seconds=round(chance.uniform(0, 9e4))
    )
    return replace(told, at=at)


def by_month(cases: Iterable[Told], **narrower: Any) -> dict[str, Any]:
    found: dict[str, list[Told]] = defaultdict(list)
    for case in cases:
        if not case.drill and all(getattr(case, name) == value for name, value in narrower.items()):
            found[KEYS["month"](case)].append(case)
    return {name: figures(those, name) for name, those in found.items()}


async def test_a_month_that_is_long_over_is_counted_once_until_one_of_its_cases_changes(
    office: Office, readings: list[str], settings: Settings
) -> None:
    chance = random.Random(8)
    cases = [long_ago(chance, number) for number in range(60)]
    await office.told(cases)

    async def right(counted: bool) -> None:
        readings.clear()
        assert await office.response("month", **LONG_AGO) == by_month(cases)
        assert bool(readings) is counted

    assert len(await office.response("month", **LONG_AGO, limit=1)) == 1
    await right(counted=False)  # although only one of them was shown
    assert await office.response("month", **LONG_AGO, kind="fire") == by_month(cases, kind="fire")
    assert await office.response("month", **LONG_AGO, kind="fire") == by_month(cases, kind="fire")
    assert await office.response("month", **LONG_AGO, area=AreaId("nowhere")) == {}
    await right(counted=False)

    # A case of an older system comes late, and somebody is left out of one that is long over.
    cases += [replace(long_ago(chance, number), drill=False) for number in range(60, 63)]
    await office.told(cases[-3:])
    await right(counted=True)
    await right(counted=False)
    alone = Told(
        "h-out", LONG_AGO["since"], called={"p-1": 1.0}, answers=(("p-1", "going", 9.0),), ended=(99, "helped")
    )
    await office.told([alone])
    cases.append(alone)
    await right(counted=True)
    opening = press_on("h-out", at=(alone.at - NOON).total_seconds())
    out = LeaveOut(id=CommitId("out"), at=alone.at, people=(PersonId("p-1"),), by="operator:li")
    await CaseDesk(office.log).handle(case_id_for(opening.press.household, opening.press.press), out)
    await office.told([])
    cases[-1] = replace(alone, answers=())
    await right(counted=True)
    await right(counted=False)

    # What a rebuild puts in its place is counted anew, and its late changes are noted as well.
    nats_url, dsn = settings.require_nats(), settings.require_postgres()
    nc = await connect(nats_url, "test")
    await rebuild(nc, nats_url, dsn, settings.site, ["latency"])
    await nc.close()
    await right(counted=True)
    await right(counted=False)
    late = replace(long_ago(chance, 99), drill=False)
    await office.told([late])
    cases.append(late)
    await right(counted=True)

    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("delete from latency where household = 'h-99'")
        cases.remove(late)
        await right(counted=True)
    finally:
        await connection.close()


async def test_a_month_that_is_hardly_over_is_counted_each_time(office: Office, readings: list[str]) -> None:
    """As of then: a case of it may still change, and nobody would note it."""
    case = Told("h-1", LONG_AGO["since"] + timedelta(days=1), ended=None, answers=(("p-1", "going", 9.0),), target=None)
    await office.told([case])
    until = datetime(2025, 3, 1, tzinfo=LOCAL)
    asked = {"since": LONG_AGO["since"], "until": until}
    for as_of, times in ((until + timedelta(hours=5), 3), (until + timedelta(hours=7), 1)):
        readings.clear()
        for _ in range(3):
            row = (await office.response("month", **asked, as_of=as_of))["2025-02-01"]
            assert (row["cases"], row["open"]) == (1, 1)
        assert len(readings) == times


async def test_an_open_case_with_a_target_of_months_is_judged_each_time(office: Office) -> None:
    days = 86_400
    case = Told("h-1", LONG_AGO["since"] + timedelta(days=1), ended=None, target=100 * days)
    await office.told([case])
    asked = {"since": LONG_AGO["since"], "until": datetime(2025, 3, 1, tzinfo=LOCAL)}
    for passed, verdict in ((70, "not_due"), (99, "not_due"), (101, "missed"), (200, "missed"), (80, "not_due")):
        row = (await office.response("month", **asked, as_of=case.at + timedelta(days=passed)))["2025-02-01"]
        assert row["steps"]["on_scene"][verdict] == 1, passed
