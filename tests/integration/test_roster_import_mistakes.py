"""Rows that are wrong: each is named, with what follows from it, and nothing goes in, or only what is good."""

from __future__ import annotations

from pathlib import Path

import pytest
from nats.aio.client import Client

from dispatch.identifiers import Site
from dispatch.roster import (
    Roster,
)
from dispatch.roster.imports import import_files
from tests.roster_sheets import NTFY, SHEETS, everything, imported, problems


@pytest.fixture
def roster(nc: Client, site: Site) -> Roster:
    return Roster(nc, site)


WRONG: list[tuple[str, str, str, str]] = [
    ("people", "p-3,某,138", "people.csv:5:C(phone) '138'", "not a phone number"),
    ("people", "p-3,,19900000009", "people.csv:5:B(name) ''", "is empty"),
    ("people", "p 3,某,19900000009", "people.csv:5:A(id) 'p 3'", "not an id"),
    ("people", "p-1,某,19900000009", "people.csv:5:A(id) 'p-1'", "stands already at"),
    ("people", "p-3,=HYPERLINK(1),19900000009", "people.csv:5:B(name) '=HYPERLINK(1)'", "formula"),
    ("people", "p-3,@SUM,19900000009", "people.csv:5:B(name) '@SUM'", "formula"),
    ("people", "p-3,a\x07b,19900000009", "people.csv:5:B(name) 'a\\x07b'", "control character"),
    ("people", "p-3,#REF!,19900000009", "people.csv:5:B(name) '#REF!'", "error of the spreadsheet"),
    ("people", "p-3," + "长" * 201 + ",19900000009", "people.csv:5:B(name)", "longer than 200"),
    ("areas", "w,某村,星球,c", "areas.csv:4:C(kind) '星球'", "none of those known"),
    ("areas", "w,某村,村,nowhere", "areas.csv:4:D(parent) 'nowhere'", "neither in these files nor in the roster"),
    ("areas", "w,某村,村,w", "areas.csv:4:D(parent) 'w'", "lies in itself: w → w"),
    ("groups", "g-2,二组,v,p-1,", "groups.csv:3:E(members) ''", "is empty"),
    ("groups", "g-2,二组,v,,p-1 p-9", "groups.csv:3:E(members) 'p-9'", "refers to person 'p-9'"),
    ("groups", "g-2,二组,v,p-9,p-1", "groups.csv:3:D(leader) 'p-9'", "refers to person 'p-9'"),
    ("groups", "g-2,二组,v,,p-1 p-1", "groups.csv:3:E(members)", "names somebody twice"),
    ("groups", "g-2,二组,v,," + " ".join(f"q-{n}" for n in range(11)), "groups.csv:3:E(members)", "binds 11 numbers"),
    (
        "groups",
        "g-2,二组,v,p-1," + " ".join(f"q-{n}" for n in range(10)),
        "groups.csv:3:E(members)",
        "binds 11 numbers",
    ),
    ("households", "h-2,某家,2号,v,none,", "households.csv:3:E(group) 'none'", "refers to group 'none'"),
    ("households", "h-2,某家,2号,none,g,", "households.csv:3:D(area) 'none'", "refers to area 'none'"),
    ("posts", "y,某岗,v,村长", "posts.csv:3:D(role) '村长'", "none of those known"),
    ("duty", "none,o-1,,", "duty.csv:3:A(post) 'none'", "refers to post 'none'"),
    ("duty", "x,none,,", "duty.csv:3:B(person) 'none'", "refers to person 'none'"),
    ("duty", "x,o-1,tomorrow,", "duty.csv:3:C(start) 'tomorrow'", "not a date and time"),
    ("duty", "x,o-1,2026-11-22,2026-11-21", "duty.csv:3:D(end) '2026-11-21'", "not after the start"),
    ("duty", SHEETS["duty"][1], "duty.csv:3:A(post) 'x'", "stands already at"),
]


@pytest.mark.parametrize(("sheet", "row", "where", "wrong"), WRONG)
async def test_a_wrong_row_is_named_and_nothing_goes_in(  # noqa: PLR0917 - pytest calls it by name
    roster: Roster, tmp_path: Path, sheet: str, row: str, where: str, wrong: str
) -> None:
    report = await imported(roster, tmp_path, {**SHEETS, sheet: [*SHEETS[sheet], row]})
    problem, *more = problems(report)
    assert problem.startswith(where)
    assert wrong in problem
    assert all("refers to person 'q-" in other for other in more)
    assert report.problems[0].advice
    assert report.written is None
    assert await roster.is_empty()


async def test_two_people_with_one_number_cannot_be_bound_into_one_group(roster: Roster, tmp_path: Path) -> None:
    people = [*SHEETS["people"], "p-3,某,+86 199 0000 0002"]
    groups = [SHEETS["groups"][0], "g,一组,v,p-1,p-1 p-2 p-3"]
    report = await imported(roster, tmp_path, {**SHEETS, "people": people, "groups": groups})
    (problem,) = problems(report)
    assert "binds the number +8619900000002 twice: p-2 and p-3" in problem


async def test_a_circle_through_the_roster_is_found(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    report = await imported(roster, tmp_path, {"areas": ["id,name,kind,parent", "c,牟定县,县,v"]})
    assert "lies in itself: c → v → c" in problems(report)[0]


async def test_all_that_is_wrong_is_reported_at_once_and_what_follows_from_it_apart(
    roster: Roster, tmp_path: Path
) -> None:
    people = ["id,name,phone", "p-1,罗玉珍,1", "p-2,,2", "o-1,普桂芳,19900000003"]
    report = await imported(roster, tmp_path, {**SHEETS, "people": people})
    assert [problem.split(" ")[0] for problem in problems(report)] == [
        "people.csv:2:C(phone)",
        "people.csv:3:B(name)",
        "people.csv:3:C(phone)",
    ]
    assert {problem.place.file.rpartition("/")[2] for problem in report.held_back} == {"groups.csv", "households.csv"}


@pytest.mark.parametrize(
    ("sheet", "row", "places"),
    [
        ("people", "p-1,=x,138", ["5:A(id)", "5:B(name)", "5:C(phone)"]),
        ("households", "h,,2号,none,gone,7", ["3:A(id)", "3:B(name)", "3:D(area)", "3:E(group)", "3:F(phone)"]),
        ("groups", "g,,none,p-9,p-1 p-1", ["3:A(id)", "3:B(name)", "3:C(area)", "3:D(leader)", "3:E(members)"]),
        ("areas", "v,,星球,none", ["4:A(id)", "4:B(name)", "4:C(kind)", "4:D(parent)"]),
        ("areas", "w,,村,w", ["4:B(name)", "4:D(parent)"]),
        ("duty", "none,gone,x,", ["3:A(post)", "3:B(person)", "3:C(start)"]),
    ],
)
async def test_all_that_is_wrong_with_a_row_is_reported(
    roster: Roster, tmp_path: Path, sheet: str, row: str, places: list[str]
) -> None:
    report = await imported(roster, tmp_path, {**SHEETS, sheet: [*SHEETS[sheet], row]})
    assert [problem.split(" ")[0] for problem in problems(report)] == [f"{sheet}.csv:{place}" for place in places]


async def test_of_rows_with_one_id_partial_takes_the_first_and_reports_the_others(
    roster: Roster, tmp_path: Path
) -> None:
    areas = [*SHEETS["areas"], "c,另一县,县,v"]
    people = [*SHEETS["people"], "p-1,另一人,19900000009"]
    report = await imported(roster, tmp_path, {**SHEETS, "areas": areas, "people": people}, partial=True)
    assert ["stands already at" in problem for problem in problems(report)] == [True, True]
    found = await everything(roster)
    assert (found["person p-1"].name, found["area c"].name) == ("罗玉珍", "牟定县")
    assert {"area v", "group g", "household h", "post x"} <= set(found)


async def test_partial_takes_no_second_row_in_place_of_a_first_that_is_wrong(roster: Roster, tmp_path: Path) -> None:
    people = [*SHEETS["people"], "p-3,某,1", "p-3,另一人,19900000009"]
    report = await imported(roster, tmp_path, {**SHEETS, "people": people}, partial=True)
    assert [problem.split(" ")[0] for problem in problems(report)] == ["people.csv:5:C(phone)", "people.csv:6:A(id)"]
    assert "person p-3" not in await everything(roster)


async def test_partial_takes_good_rows_whose_references_are_good(roster: Roster, tmp_path: Path) -> None:
    people = [*SHEETS["people"], "p-3,某,1"]
    groups = [*SHEETS["groups"], "g-2,二组,v,,p-2 p-3"]
    households = [*SHEETS["households"], "h-2,某家,2号,v,g-2,", "h-3,某家,3号,v,g,"]
    sheets = {**SHEETS, "people": people, "groups": groups, "households": households}
    report = await imported(roster, tmp_path, sheets, partial=True)
    assert len(report.problems) == 1
    found = await everything(roster)
    assert {"group g", "household h", "household h-3", "post x"} <= set(found)
    assert not {"person p-3", "group g-2", "household h-2"} & set(found)


async def test_partial_never_replaces_a_posts_duty_by_half_of_it(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    before = (await everything(roster))["post x"]
    duty = [SHEETS["duty"][0], "x,p-1,,", "x,p-2,nonsense,"]
    await imported(roster, tmp_path, {"duty": duty}, partial=True)
    assert (await everything(roster))["post x"] == before


async def test_an_empty_file_is_named(roster: Roster, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("\n\n")
    report = await import_files(roster, [tmp_path / "empty.csv"], by="test")
    assert "nothing in it" in problems(report)[0]
    assert report.written is None


async def test_a_sheet_without_a_header_shows_no_secret(roster: Roster, tmp_path: Path) -> None:
    report = await imported(roster, tmp_path, {"people": [f"p-1,罗玉珍,19900000001,{NTFY}"]})
    assert "hush" not in "".join(problems(report))
