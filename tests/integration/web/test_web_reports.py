"""Reports over HTTP: for operators, each in their own area; as JSON, CSV and XLSX."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from openpyxl import load_workbook

from dispatch.cases import CaseDesk, Command
from dispatch.identifiers import AreaId, PersonId, case_id_for
from dispatch.projections import Projector
from dispatch.roster import Area, Person
from dispatch.web.api import common, reports
from dispatch.web.reports import month as month_desk
from tests.integration.web_world import World
from tests.past_cases import Called, tell_past
from tests.projection_stories import NOON, answered, press_on, projecting, recorded, resolved

Client = TestClient[Any, Any]
Headers = dict[str, str]

MONTH = f"{NOON:%Y-%m}"
"""Noon in UTC is evening in Shanghai, of the same month."""
CSV_MARK = "\ufeff"


async def ask(client: Client, headers: Headers, path: str) -> tuple[int, Any]:
    async with client.get(path, headers=headers) as answer:
        return answer.status, await answer.json()


@pytest.fixture
async def here(village: World) -> Headers:
    return await village.bearer("operator", "wang", "t-1")


@pytest.fixture
async def month(village: World, dsn: str) -> str:
    """Three cases and a drill: two in v-1, the one within all targets and the other not; one in v-2, still open."""
    desk, day = CaseDesk(village.log), 86_400.0
    quick: list[Command] = [
        recorded("r", 1, ("p-1", "live", "delivered")),
        answered("p-1", "on_scene", 20),
        resolved(60),
    ]
    slow: list[Command] = [answered("p-1", "going", 400), answered("p-1", "on_scene", 500), resolved(4000)]
    stories: tuple[tuple[str, str, float, list[Command]], ...] = (
        ("h-1", "v-1", 0, quick),
        ("h-2", "v-1", 60, slow),
        ("h-3", "v-2", -day, []),
    )
    for household, area, at, commands in stories:
        opening = press_on(household, at=at, areas=(area, "t-1"), target=180)
        for command in (opening, *commands):
            await desk.handle(case_id_for(opening.press.household, opening.press.press), command)
    drill = press_on("h-4", drill=True, areas=("v-1", "t-1"), target=180)
    await desk.handle(case_id_for(drill.press.household, drill.press.press), drill)
    async with projecting(Projector(village.nc, village.log, dsn)):
        assert await village.read_models.wait_for(await village.log.last_sequence(), 20)
    return MONTH


async def test_how_fast_help_came(client: Client, here: Headers, month: str) -> None:
    status, report = await ask(client, here, f"/v1/reports/response?month={month}&by=area")
    assert (status, report["area"], report["area_name"], report["drills"]) == (200, "t-1", "茅州镇", 1)
    first, second = report["rows"]
    assert (first["key"], first["name"], first["cases"]) == ("v-1", "茅州村", 2)
    assert (second["key"], second["cases"], second["open"]) == ("v-2", 1, 1)
    on_scene = first["steps"]["on_scene"]
    assert (on_scene["within"], on_scene["missed"], on_scene["share"]) == (1, 1, 0.5)
    assert (on_scene["p50"], on_scene["p99"]) == (pytest.approx(230), pytest.approx(435.8))
    _, village = await ask(client, here, f"/v1/reports/response?month={month}&area=v-2")
    assert [row["cases"] for row in village["rows"]] == [1]


@pytest.mark.usefixtures("month")
async def test_a_trend_has_every_day_and_the_change_since_the_one_before(client: Client, here: Headers) -> None:
    since, until = NOON.date() - timedelta(days=2), NOON.date() + timedelta(days=1)
    path = f"/v1/reports/response?by=day&since={since}&until={until}"
    _, report = await ask(client, here, path)
    assert [(row["key"], row["cases"]) for row in report["rows"]] == [
        (f"{since}", 0),
        (f"{NOON.date() - timedelta(days=1)}", 1),
        (f"{NOON.date()}", 2),
    ]
    assert [row["change"] and row["change"]["cases"] for row in report["rows"]] == [None, 1, 1]
    assert report["rows"][2]["change"]["on_scene"] == pytest.approx(0.5)
    _, months = await ask(client, here, "/v1/reports/response?by=month&since=2026-10-01&until=2026-12-01")
    assert [(row["key"], row["cases"]) for row in months["rows"]] == [("2026-10-01", 0), ("2026-11-01", 3)]


async def test_who_did_what(client: Client, here: Headers, month: str) -> None:
    _, report = await ask(client, here, f"/v1/reports/workload?month={month}")
    by_person = {row["key"]: row for row in report["rows"]}
    one = by_person["p-1"]
    assert (one["name"], one["called"], one["rung"], one["answered"], one["on_scene"]) == ("人1", 3, 1, 2, 2)
    assert (one["prompt"], one["prompt_share"], one["to_answered"]["p50"]) == (1, 1.0, 19.0)
    _, groups = await ask(client, here, f"/v1/reports/workload?month={month}&by=group&area=v-1")
    assert [(row["key"], row["name"], row["called"]) for row in groups["rows"]] == [("g-1", "一组", 6)]
    _, few = await ask(client, here, f"/v1/reports/workload?month={month}&limit=1")
    assert (len(few["rows"]), few["complete"]) == (1, False)


async def test_where_and_when(client: Client, here: Headers, month: str) -> None:
    _, report = await ask(client, here, f"/v1/reports/hot-spots?month={month}")
    saturday = [(hour["day"], hour["hour"], hour["cases"]) for hour in report["hours"]]
    assert saturday == [(5, 20, 1), (6, 20, 2)]
    assert report["spots"][0] == {"area": "v-1", "name": "茅州村", "kind": "fire", "day": 6, "hour": 20, "cases": 2}


async def test_the_month_holds_everything_that_its_page_shows(client: Client, here: Headers, month: str) -> None:
    status, report = await ask(client, here, f"/v1/reports/month?month={month}")
    assert (status, report["month"], report["total"]["cases"], report["drills"]) == (200, month, 3, 1)
    assert report["month_before"]["cases"] == report["year_before"]["cases"] == 0
    assert [row["key"] for row in report["areas"]] == ["v-1", "v-2"]
    assert [row["name"] for row in report["targets"]] == ["3 分钟 3 min"]
    assert (len(report["days"]), len(report["months"])) == (30, 12)
    assert [one["id"] for one in report["path"]] == ["t-1"]
    assert [row["key"] for row in report["groups"]] == ["g-1"]


async def test_the_whole_site_is_the_area_that_holds_all_of_it(client: Client, village: World, month: str) -> None:
    chief = await village.bearer("operator", "chief")
    _, report = await ask(client, chief, f"/v1/reports/month?month={month}")
    assert (report["area"], [row["key"] for row in report["areas"]]) == ("t-1", ["v-1", "v-2"])


async def told(village: World, dsn: str, household: str, *areas: str) -> None:
    opening = press_on(household, at=120.0, areas=areas, target=180)
    await CaseDesk(village.log).handle(case_id_for(opening.press.household, opening.press.press), opening)
    async with projecting(Projector(village.nc, village.log, dsn)):
        assert await village.read_models.wait_for(await village.log.last_sequence(), 20)


async def test_a_site_of_two_counties_is_whole_also_in_a_month_in_which_one_has_no_case(
    client: Client, village: World, month: str
) -> None:
    await village.roster.put(Area(id=AreaId("x-1"), name="邻县", kind="county"), by="test")
    _, report = await ask(client, await village.bearer("operator", "chief"), f"/v1/reports/month?month={month}")
    assert (report["area"], report["total"]["cases"], report["path"]) == (None, 3, [])
    assert [(row["key"], row["cases"]) for row in report["areas"]] == [("t-1", 3)]


async def test_the_month_of_a_single_county_holds_also_the_cases_that_lie_nowhere_in_it(
    client: Client, village: World, month: str, dsn: str
) -> None:
    await told(village, dsn, "h-8", "gone")
    await told(village, dsn, "h-9")
    _, report = await ask(client, await village.bearer("operator", "chief"), f"/v1/reports/month?month={month}")
    assert (report["area"], report["total"]["cases"]) == ("t-1", 5)
    areas = {row["key"]: row["cases"] for row in report["areas"]}
    assert areas == {"v-1": 2, "v-2": 1, "gone": 1, "": 1}


async def test_what_the_month_does_not_list_is_said_and_its_files_list_it(
    client: Client, here: Headers, month: str, village: World, dsn: str, *, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = NOON + timedelta(minutes=5)
    ways: tuple[tuple[Called, ...], ...] = (
        (("p-1", "member", "g-1"), ("o-1", "auxiliary_officer", "t-1"), ("o-2", "community_police_officer", "t-1")),
        (("o-1", "auxiliary_officer", "t-1"), ("p-3", "member", "g-2"), ("p-4", "member", "g-3")),
    )
    for number, called in enumerate(ways):
        await tell_past(village.log, number, at=at, areas=("v-1", "t-1"), called=called, chance=random.Random(number))
    await told(village, dsn, "h-9", "v-1", "t-1")
    _, whole = await ask(client, here, f"/v1/reports/month?month={month}")
    assert whole["left_out"] == {"areas": 0, "groups": 0, "officers": 0}
    assert [row["key"] for row in whole["groups"]] == ["g-1", "g-2", "g-3"]
    monkeypatch.setattr(month_desk, "MOST_LISTED", 1)
    monkeypatch.setattr(month_desk, "MOST_AREAS", 1)
    _, report = await ask(client, here, f"/v1/reports/month?month={month}")
    assert report["left_out"] == {"areas": 1, "groups": 2, "officers": 1}
    assert report["groups"] == whole["groups"][:1], "the row of those without a group takes nobody's place"
    assert (report["officers"], report["areas"]) == (whole["officers"][:1], whole["areas"][:1])
    assert (report["days"], report["kinds"]) == (whole["days"], whole["kinds"])
    async with client.get(f"/v1/reports/month.xlsx?month={month}", headers=here) as answer:
        sheets = load_workbook(io.BytesIO(await answer.read())).worksheets
    keys = {sheet.title: [cell.value for cell in sheet["A"]][1:] for sheet in sheets}
    assert keys["联防组 groups"] == ["g-1", "g-2", "g-3"]
    assert sorted(keys["警务人员 officers"]) == ["o-1", "o-2"]
    assert keys[month][-2:] == ["v-1", "v-2"]
    monkeypatch.setattr(reports, "MOST_ROWS", 2)
    status, problem = await ask(client, here, f"/v1/reports/month.xlsx?month={month}")
    assert (status, problem["field"], "name a smaller area" in problem["detail"]) == (400, "area", True)


async def test_nobody_reads_the_figures_of_another_area(client: Client, village: World, month: str) -> None:
    elsewhere = await village.bearer("operator", "li", "v-2")
    for name in ("response", "workload", "hot-spots", "month"):
        for suffix in ("", ".csv", ".xlsx"):
            path = f"/v1/reports/{name}{suffix}?month={month}"
            for area in ("v-1", "t-1"):
                async with client.get(f"{path}&area={area}", headers=elsewhere) as answer:
                    assert answer.status == 404, path
            for role, subject in (("responder", "p-1"), ("device", "h-1"), ("monitor", "prom")):
                async with client.get(path, headers=await village.bearer(role, subject)) as answer:
                    assert answer.status == 403, path
            async with client.get(path) as answer:
                assert answer.status == 401, path
    _, report = await ask(client, elsewhere, f"/v1/reports/response?month={month}")
    assert report["rows"][0]["cases"] == 1
    _, whole = await ask(client, elsewhere, f"/v1/reports/month?month={month}")
    assert (whole["total"]["cases"], [one["id"] for one in whole["path"]]) == (1, ["v-2"])


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("month=2026-13", "month", "2026-13"),
        ("month=2026-11&since=2026-11-01", "month", "use the one or the others"),
        ("since=yesterday", "since", "write a day like 2026-11-01"),
        ("since=2026-11-01T08:00:00", "since", "with its zone"),
        ("since=0001-01-01", "since", "between 1970"),
        ("since=2026-11-02&until=2026-11-02", "since", "is not before"),
        ("since=2024-01-01&until=2026-01-01", "since", "400 days at most"),
        ("by=moon", "by", "moon"),
        ("kind=flood", "kind", "flood"),
        ("limit=501", "limit", "500"),
        ("are=v-1", "are", "v-1"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_the_way_out(
    client: Client, here: Headers, query: str, field: str, said: str
) -> None:
    status, problem = await ask(client, here, f"/v1/reports/response?{query}")
    assert (status, problem["field"], problem["type"]) == (400, field, "urn:dispatch:problem:malformed")
    assert said in problem["detail"], problem


async def test_the_list_of_latencies_is_bounded_too(client: Client, here: Headers) -> None:
    status, problem = await ask(client, here, "/v1/latency?since=2020-01-01")
    assert (status, problem["field"], "400 days at most" in problem["detail"]) == (400, "since", True)


async def test_a_file_is_whole_or_refused(
    client: Client, here: Headers, month: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_ROWS", 1)
    for path in ("response.csv?by=area", "workload.xlsx?by=responder"):
        status, problem = await ask(client, here, f"/v1/reports/{path}&month={month}")
        assert (status, problem["field"], "name a smaller area" in problem["detail"]) == (400, "area", True)


@pytest.mark.parametrize("name", ["response?by=area", "workload?by=responder", "hot-spots?", "month?"])
async def test_the_files_hold_what_the_answer_holds(client: Client, here: Headers, month: str, name: str) -> None:
    path, _, query = name.partition("?")
    named = f"month-{month}-t-1" if path == "month" else path
    async with client.get(f"/v1/reports/{path}.csv?{query}&month={month}", headers=here) as answer:
        assert (answer.status, answer.content_type) == (200, "text/csv")
        assert f'"{named}.csv"' in answer.headers["Content-Disposition"]
        text = await answer.text()
    async with client.get(f"/v1/reports/{path}.xlsx?{query}&month={month}", headers=here) as answer:
        assert answer.status == 200
        sheet = load_workbook(io.BytesIO(await answer.read())).worksheets[0]
    assert text.startswith(CSV_MARK)
    rows = list(csv.reader(io.StringIO(text.removeprefix(CSV_MARK))))
    assert len(rows) > 2
    shown = [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    assert shown == rows


async def test_no_name_is_a_formula_in_a_spreadsheet(client: Client, village: World, here: Headers, month: str) -> None:
    evil = '=HYPERLINK("http://127.0.0.1","x")'
    await village.roster.put(Person(id=PersonId("p-1"), name=evil), by="test")
    await village.roster.put(Area(id=AreaId("v-1"), name="＋1\x01", kind="village", parent=AreaId("t-1")), by="test")
    async with client.get(f"/v1/reports/workload.csv?month={month}", headers=here) as answer:
        assert f'"\'{evil.replace(chr(34), chr(34) * 2)}"' in await answer.text()
    async with client.get(f"/v1/reports/workload.xlsx?month={month}", headers=here) as answer:
        sheet = load_workbook(io.BytesIO(await answer.read())).worksheets[0]
    [cell] = [cell for cell in sheet["B"] if cell.value == evil]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    async with client.get(f"/v1/reports/response.csv?by=area&month={month}", headers=here) as answer:
        assert ",'＋1" in await answer.text()
    async with client.get(f"/v1/reports/response.xlsx?by=area&month={month}", headers=here) as answer:
        assert answer.status == 200


async def test_who_has_just_changed_something_reads_it_back(
    client: Client, village: World, here: Headers, month: str, *, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read models begin to follow only while the question is waiting for them."""
    monkeypatch.setattr(common, "WAIT_SECONDS", common.READ_SECONDS - 1)  # they may begin slowly on a busy machine
    desk, opening = CaseDesk(village.log), press_on("h-9", at=120.0, areas=("v-1", "t-1"), target=180)
    opened = await desk.handle(case_id_for(opening.press.household, opening.press.press), opening)
    asking = [
        asyncio.create_task(ask(client, here, f"{path}min_seq={opened.case.seq}"))
        for path in (
            f"/v1/reports/response?month={month}&",
            "/v1/cases?status=all&",
            f"/v1/latency?since={NOON:%Y-%m-%d}&",
        )
    ]
    async with projecting(Projector(village.nc, village.log, dsn)):
        (_, report), (_, listed), (_, latency) = await asyncio.gather(*asking)
    assert report["rows"][0]["cases"] == 4
    assert opened.case.id in {case["case_id"] for case in listed["cases"]}
    assert opened.case.id in {case["case_id"] for case in latency["cases"]}
