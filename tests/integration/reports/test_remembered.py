"""What is over is counted once and remembered, until one of its cases changes."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import asyncpg
import msgspec
import pytest

from dispatch.cases import CaseDesk, LeaveOut
from dispatch.events import Kind, connect
from dispatch.identifiers import AreaId, CommitId, GroupId, PersonId, case_id_for
from dispatch.projections import ReadModels, rebuild, remembered
from dispatch.projections.reader import Reader
from dispatch.settings import Settings
from tests.integration.reports.computing import KEYS, figures
from tests.integration.reports.office import Office
from tests.integration.reports.told import AREAS, AS_OF, LOCAL, ZONE, Told, told_by
from tests.projection_stories import NOON, press_on

LONG_AGO: dict[str, Any] = {"since": datetime(2025, 2, 1, tzinfo=LOCAL), "until": datetime(2025, 7, 1, tzinfo=LOCAL)}


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


def _noting(found: list[str], ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def noted(reader: Reader, place: Any, query: str, *arguments: Any) -> Any:
        found.extend([query] * (query != remembered.queries.state))
        return await ask(reader, place, query, *arguments)

    return noted


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was counted, and not remembered: the queries that Postgres was asked, but for the state of its months."""
    found: list[str] = []
    # What is remembered is seen by what is not asked.
    for name in ("_fetch", "_values"):
        monkeypatch.setattr(Reader, name, _noting(found, getattr(Reader, name)))
    return found


Asking = Callable[[ReadModels], Awaitable[Any]]
WHERE: dict[str, Any] = {"since": LONG_AGO["since"], "until": datetime(2025, 3, 1, tzinfo=LOCAL)}
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


def one_of_february(household: str, **told: Any) -> Told:
    answers = (("p-1", "going", 9.0), ("p-2", "on_scene", 60.0))
    at = LONG_AGO["since"] + timedelta(days=9)
    return Told(household, at, called={"p-1": 1.0, "p-2": 1.0}, answers=answers, ended=(99, "helped"), **told)


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


async def test_what_changes_while_it_is_counted_is_not_remembered(
    office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.told([one_of_february("h-1"), one_of_february("h-2")])
    connection = await asyncpg.connect(settings.require_postgres())
    values = Reader.values

    async def overtaken(reader: Reader, query: str, *arguments: Any) -> Any:
        found = await values(reader, query, *arguments)
        await connection.execute("delete from latency where household = 'h-2'")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "values", overtaken)
        assert (await office.response(**WHERE))[""]["cases"] == 2
    assert (await office.response(**WHERE))[""]["cases"] == 1
    await connection.close()


async def test_changes_of_the_last_hour_are_not_noted_and_what_is_just_over_is_not_remembered(
    office: Office, readings: list[str], settings: Settings
) -> None:
    """Live cases change all the time, and noting that would cost each commit."""
    connection = await asyncpg.connect(settings.require_postgres())
    at, noted = datetime.now(UTC), "select count(*) from changed_months"
    await office.told([Told("h-1", at - timedelta(minutes=20), called={"p-1": 1.0}, answers=(("p-1", "going", 9.0),))])
    assert await connection.fetchval(noted) == 0
    asked: dict[str, Any] = {"since": at - timedelta(days=1), "as_of": at}
    for hours, times in ((-1, 3), (1, 3), (7, 1)):  # over in an hour, for an hour, for seven
        readings.clear()
        for _ in range(3):
            await office.response(**asked, until=at - timedelta(hours=hours))
        assert len(readings) == times, hours
    await office.told([Told("h-2", at - timedelta(minutes=70), called={"p-1": 1.0})])
    assert await connection.fetchval(noted) == 2
    await connection.close()


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


@pytest.mark.parametrize("table", ["latency", "responses"])
async def test_what_is_emptied_or_not_watched_is_not_remembered(
    table: str, office: Office, readings: list[str], settings: Settings
) -> None:
    await office.told([Told("h-1", LONG_AGO["since"])])
    connection = await asyncpg.connect(settings.require_postgres())
    await connection.execute("delete from changed_months")  # as where every case was told while it was new
    for _ in range(2):
        assert (await office.response("month", **LONG_AGO))["2025-02-01"]["cases"] == 1
    await connection.execute("truncate latency")
    assert await office.response("month", **LONG_AGO) == {}
    readings.clear()
    await connection.execute(f"alter table {table} disable trigger note_changed")
    for _ in range(2):  # where nobody would note a change
        readings.clear()
        assert await office.response("month", **LONG_AGO) == {}
        assert readings
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
