"""What is over is counted once and remembered, until one of its cases changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import asyncpg
import msgspec
import pytest

from dispatch.events import Kind
from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.projections import ReadModels, remembered
from dispatch.settings import Settings
from tests.integration.reports.computing import KEYS
from tests.integration.reports.office import Office
from tests.integration.reports.past import WHERE, one_of_february
from tests.integration.reports.told import AREAS, AS_OF, ZONE, Told

Asking = Callable[[ReadModels], Awaitable[Any]]
HOW_MANY = "how many were called"
REPORTS: dict[str, Asking] = {
    **{
        f"response by {by}": lambda models, by=by: models.reports.response(  # type: ignore[misc]
            by=by, **WHERE, as_of=AS_OF, zone=ZONE, limit=500
        )
        for by in KEYS
    },
    **{
        f"work by {by}": lambda models, by=by: models.reports.workload(by=by, **WHERE, limit=500)  # type: ignore[misc]
        for by in ("responder", "group", "area")
    },
    HOW_MANY: lambda models: models.reports.called(by="responder", **WHERE),
    "drills": lambda models: models.reports.drills(**WHERE),
    "hot spots": lambda models: models.reports.hot_spots(**WHERE, zone=ZONE, limit=500),
    "cases and their summary": lambda models: models.latency(**WHERE, limit=500),
}
"""Every report, of February 2025."""


ANOTHER = (
    """
    insert into latency (site, case_id, household, areas, kind, silent, drill, pressed_at, accepted_at)
    select site, 'another', household, areas, kind, silent, drill, pressed_at, accepted_at
    from latency where case_id like '%h-3%'
    """,
    """
    insert into responses (site, case_id, responder, step, areas, kind, drill, accepted_at)
    select site, 'another', responder, step, areas, kind, drill, accepted_at
    from responses where case_id like '%h-3%' limit 1
    """,
)
"""A row in each table alone."""


@pytest.mark.parametrize("report", REPORTS)
async def test_every_report_of_a_period_that_is_over_is_counted_once_until_a_case_of_it_changes(
    report: str, office: Office, readings: list[str], settings: Settings
) -> None:
    site, dsn = settings.site, settings.require_postgres()

    async def right(*, counted: bool) -> Any:
        """What the report says, which is what those say who remember nothing."""
        anew = ReadModels(dsn, site)
        expected = await REPORTS[report](anew)
        await anew.close()
        readings.clear()
        found = await REPORTS[report](office.models)
        assert msgspec.to_builtins(found) == msgspec.to_builtins(expected)
        assert bool(readings) is counted
        return expected

    await office.told([one_of_february("h-1"), one_of_february("h-2", drill=True)])
    first = await right(counted=True)
    await right(counted=False)

    await office.told([one_of_february("h-3"), one_of_february("h-4", drill=True)])  # imported late, say
    assert (await right(counted=True) != first) is (report != HOW_MANY)  # the same people again
    await right(counted=False)

    # What concerns another month, another site or no figure at all is no reason to count again.
    await office.told([Told("h-5", WHERE["until"] + timedelta(hours=9))])
    connection = await asyncpg.connect(dsn)
    await connection.execute("insert into changed_months select month, 'another', stamp from changed_months")
    await connection.execute("update responses set kind = kind")
    await connection.execute("update latency set kind = kind")
    await right(counted=False)

    # Each row of both tables counts by itself, whoever changes it: the two may be written one after the other.
    await connection.execute("update responses set answered_at = answered_at + interval '1 s' where responder = 'p-1'")
    await right(counted=True)
    await connection.execute("update latency set answered_at = answered_at + interval '1 s', kind = 'medical'")
    await right(counted=True)
    await right(counted=False)
    for another in ANOTHER:
        await connection.execute(another)
        await right(counted=True)
    await right(counted=False)
    await connection.execute("delete from responses where case_id like '%h-1%'")
    await right(counted=True)
    await connection.execute("delete from latency where household = 'h-1'")
    await right(counted=True)
    await right(counted=False)
    await connection.execute("truncate latency, responses")
    await right(counted=True)
    await connection.close()


PLACE: dict[str, Any] = {"area": AreaId("v-2")}
NARROWER: tuple[dict[str, Any], ...] = (
    PLACE,
    {"kind": "medical"},
    {"group": GroupId("g-none")},
    {"responder": PersonId("p-none")},
)
FEWER: dict[str, Any] = {"limit": 1}
ELSEWHERE: dict[str, Any] = {"zone": "America/New_York"}
OTHERWISE: dict[str, tuple[dict[str, Any], tuple[dict[str, Any], ...]]] = {
    "response": (
        {"by": "day", "as_of": AS_OF, "zone": ZONE, "limit": 500},
        ({"by": "kind"}, ELSEWHERE, *NARROWER, FEWER),
    ),
    "workload": (
        {"by": "responder", "limit": 500},
        ({"by": "group"}, {"by": "area"}, *NARROWER, {"officers": True}, FEWER),
    ),
    "workload of areas": ({"by": "area", "limit": 500}, ({"nobody": False},)),
    "called": ({"by": "responder"}, ({"by": "area"}, {"area": AreaId("v-none")}, {"officers": True})),
    "drills": ({}, NARROWER),
    "hot_spots": ({"zone": ZONE, "limit": 500}, (ELSEWHERE, *NARROWER[:2], FEWER)),
    "latency": ({"limit": 500}, (PLACE, FEWER)),
}
"""What each report is asked, and what else it may be asked, one after the other."""


@pytest.mark.parametrize("report", OTHERWISE)
async def test_what_is_asked_otherwise_is_another_question(report: str, office: Office, settings: Settings) -> None:
    kinds: tuple[Kind, ...] = ("fire", "medical")
    cases: list[Told] = []
    for number, (kind, drill) in enumerate(product(kinds, (False, True, False))):
        one = one_of_february(f"h-{number}", kind=kind, areas=AREAS[number % 2] if number < 5 else (), drill=drill)
        cases.append(replace(one, at=one.at + timedelta(hours=31 * number)))
    await office.told(cases)
    usual, otherwise = OTHERWISE[report]
    anew = ReadModels(settings.require_postgres(), settings.site)

    async def answer(models: ReadModels, more: dict[str, Any]) -> Any:
        asked = models if report == "latency" else models.reports
        return msgspec.to_builtins(await getattr(asked, report.split(maxsplit=1)[0])(**WHERE, **{**usual, **more}))

    given = [await answer(office.models, more) for more in ({}, *otherwise)]
    assert given[0] not in given[1:], "else they would prove nothing"
    for more, said in zip(({}, *otherwise), given, strict=True):
        anew.forget()
        assert said == await answer(anew, more), more
    await anew.close()


async def test_only_so_much_is_remembered(office: Office, readings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    await office.told([one_of_february("h-1")])
    total, by_kind = REPORTS["response by total"], REPORTS["response by kind"]
    await by_kind(office.models)
    monkeypatch.setattr(remembered, "MOST_BYTES", office.models.reports.remembered._bytes)
    readings.clear()
    await by_kind(office.models)
    assert not readings
    for _ in range(2):  # there is room for one of them
        await total(office.models)
        await total(office.models)
        await by_kind(office.models)
    assert len(readings) == 2 * (1 + 1)
