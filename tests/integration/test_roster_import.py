"""Importing the roster: everything is checked first, all goes in or nothing, and a second run changes nothing."""

from __future__ import annotations

import csv
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from nats.aio.client import Client
from openpyxl import Workbook

from dispatch.errors import Unavailable
from dispatch.events import connect, ensure_streams
from dispatch.identifiers import AreaId, HouseholdId, PersonId
from dispatch.roster import (
    KINDS,
    ApprisePoint,
    Document,
    Duty,
    Group,
    Person,
    Post,
    Roster,
    SmsPoint,
    WebhookPoint,
    WebPushPoint,
)
from dispatch.roster.imports import Report, import_files

Sheets = Mapping[str, Sequence[str]]
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
SHEETS: Sheets = {
    "areas": ["id,name,kind,parent", "c,牟定县,县,", "v,茅州村,村,c"],
    "people": ["id,name,phone", "p-1,罗玉珍,199 0000 0001", "p-2,段学文,199-0000-0002", "o-1,普桂芳,+8619900000003"],
    "groups": ["id,name,area,leader,members", "g,一组,v,p-1,p-1 p-2"],
    "households": ["id,name,address,area,group,phone", "h,段家,一组1号,v,g,0878-5211234"],
    "posts": ["id,name,area,role", "x,茅州村辅警,v,辅警"],
    "duty": ["post,person,start,end", "x,o-1,2026-11-21 08:00,2026-11-22 08:00"],
}


@pytest.fixture
async def nc(nats_url: str) -> AsyncIterator[Client]:
    client = await connect(nats_url, "test")
    await ensure_streams(client.jetstream())
    yield client
    await client.close()


@pytest.fixture
def roster(nc: Client) -> Roster:
    return Roster(nc, f"t{secrets.token_hex(5)}")


def written(folder: Path, sheets: Sheets) -> list[Path]:
    for name, lines in sheets.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return [folder / f"{name}.csv" for name in sheets]


async def imported(roster: Roster, folder: Path, sheets: Sheets = SHEETS, *, partial: bool = False) -> Report:
    return await import_files(roster, written(folder, sheets), by="test", partial=partial)


async def everything(roster: Roster) -> dict[str, Document]:
    return {f"{kind} {document.id}": document for kind in KINDS async for document in roster.all(kind)}


def problems(report: Report) -> list[str]:
    """Each problem as `file:line:column value → …`, without the folder."""
    return [re.sub(r"\S*/(\w+\.(csv|xlsx))", r"\1", str(problem)) for problem in report.problems]


async def test_every_kind_of_row_becomes_its_document(roster: Roster, tmp_path: Path) -> None:
    report = await imported(roster, tmp_path)
    assert problems(report) == []
    assert report.written is not None
    assert (report.written.created, report.written.changed, report.written.unchanged) == (8, 0, 0)
    found = await everything(roster)
    assert found["person p-2"] == Person(id=PersonId("p-2"), name="段学文", phone="+8619900000002")
    group = found["group g"]
    assert isinstance(group, Group)
    assert (group.leader, group.members) == ("p-1", ("p-1", "p-2"))
    post, china = found["post x"], timezone(timedelta(hours=8))
    assert isinstance(post, Post)
    assert (post.role, post.area) == ("auxiliary_officer", "v")
    start, end = datetime(2026, 11, 21, 8, tzinfo=china), datetime(2026, 11, 22, 8, tzinfo=china)
    assert post.duty == (Duty(person=PersonId("o-1"), start=start, end=end),)
    entry = await roster.entry("household", "h")
    assert entry is not None
    assert entry.by == "test"


async def test_a_second_run_writes_nothing(roster: Roster, nc: Client, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    before = (await nc.jetstream().stream_info("KV_ROSTER")).state.last_seq
    report = await imported(roster, tmp_path)
    assert report.written is not None
    assert (report.written.created, report.written.changed, report.written.unchanged) == (0, 0, 8)
    assert (await nc.jetstream().stream_info("KV_ROSTER")).state.last_seq == before


async def test_a_dry_run_says_what_would_be_written_and_writes_nothing(roster: Roster, tmp_path: Path) -> None:
    report = await import_files(roster, written(tmp_path, SHEETS), by="test", dry_run=True)
    assert report.written is not None
    assert report.written.created == 8
    assert await roster.is_empty()


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


async def test_rows_may_refer_to_what_the_roster_has(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    report = await imported(roster, tmp_path, {"households": [SHEETS["households"][0], "h-2,某家,2号,v,g,"]})
    assert problems(report) == []
    assert await roster.household(HouseholdId("h-2")) is not None


async def test_posts_without_a_duty_sheet_keep_their_duty(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    await imported(roster, tmp_path, {"posts": [SHEETS["posts"][0], "x,新名,v,辅警"]})
    (post,) = await roster.posts_of([AreaId("v")])
    assert post.name == "新名"
    assert [duty.person for duty in post.duty] == ["o-1"]


async def test_a_post_that_moves_to_another_area_stands_there_alone(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    for area, other in (("c", "v"), ("v", "c")):
        await imported(roster, tmp_path, {"posts": [SHEETS["posts"][0], f"x,辅警,{area},辅警"]})
        assert [duty.person for post in await roster.posts_of([AreaId(area)]) for duty in post.duty] == ["o-1"]
        assert await roster.posts_of([AreaId(other)]) == []


async def test_a_move_that_was_cut_off_is_finished_by_the_next_run(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    (post,) = await roster.posts_of([AreaId("v")])
    await roster.put(msgspec.structs.replace(post, area=AreaId("c")), by="cut off here")
    await imported(roster, tmp_path)
    assert await roster.posts_of([AreaId("c")]) == []
    assert await roster.posts_of([AreaId("v")]) == [post]


PUSH = WebPushPoint(endpoint="https://push.example/1", p256dh="k", auth="a")


async def test_what_phones_registered_survives(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    await roster.update_person(
        PersonId("p-1"), lambda old: msgspec.structs.replace(old, contact_points=(PUSH,)), by="phone"
    )
    await imported(roster, tmp_path, {"people": ["id,name,phone", "p-1,新名,19900000001"]})
    (person,) = (await roster.people([PersonId("p-1")])).values()
    assert (person.name, person.contact_points) == ("新名", (PUSH,))


async def test_who_lives_in_a_household_says_a_column(roster: Roster, tmp_path: Path) -> None:
    header, row = "id,name,address,area,group,residents", "h,段家,一组1号,v,g"
    await imported(roster, tmp_path, {**SHEETS, "households": [header, f"{row},p-1 p-2 p-1"]})

    async def residents() -> tuple[PersonId, ...]:
        home = await roster.household(HouseholdId("h"))
        assert home is not None
        return home.residents

    assert await residents() == ("p-1", "p-2")
    await imported(roster, tmp_path, {"households": [header, f"{row},"]})
    assert await residents() == ("p-1", "p-2"), "left empty, what the roster has stays"
    await imported(roster, tmp_path, {"households": [header, f"{row},o-1"]})
    assert await residents() == ("o-1",)
    report = await imported(roster, tmp_path, {"households": [header, f"{row},p-9"]})
    assert "households.csv:2:F(residents) 'p-9'" in problems(report)[0]


async def test_a_webhook_of_the_file_replaces_the_one_before_and_nothing_else(roster: Roster, tmp_path: Path) -> None:
    header = "id,name,phone,webhook,webhook_secret"
    await imported(roster, tmp_path, {"people": [header, f"p-1,罗玉珍,19900000001,https://a.example/,{SECRET}"]})
    await roster.update_person(
        PersonId("p-1"),
        lambda old: msgspec.structs.replace(old, contact_points=(*old.contact_points, PUSH)),
        by="phone",
    )
    await imported(roster, tmp_path, {"people": [header, f"p-1,罗玉珍,19900000001,https://b.example/,{SECRET}"]})
    (person,) = (await roster.people([PersonId("p-1")])).values()
    assert person.contact_points == (PUSH, WebhookPoint(url="https://b.example/", secret=SECRET))


@pytest.mark.parametrize(
    ("cells", "where"),
    [("ftp://a.example/," + SECRET, "D(webhook)"), ("https://a.example/,whsec_short", "E(webhook_secret)")],
)
async def test_a_wrong_webhook_is_named_and_its_secret_is_not_shown(
    roster: Roster, tmp_path: Path, cells: str, where: str
) -> None:
    header = "id,name,phone,webhook,webhook_secret"
    report = await imported(roster, tmp_path, {"people": [header, f"p-1,罗玉珍,19900000001,{cells}"]})
    (problem,) = problems(report)
    assert where in problem
    assert "whsec_short" not in problem


async def test_a_person_changed_while_the_import_runs_loses_nothing(
    roster: Roster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await imported(roster, tmp_path)
    put = roster.put
    done: list[str] = []

    async def overtaken(document: Document, **how: object) -> int:
        if not done and isinstance(document, Person):
            done.append(document.id)
            other = Roster(roster._nc, roster.site)
            await other.update_person(
                document.id, lambda old: msgspec.structs.replace(old, contact_points=(PUSH,)), by="phone"
            )
        return await put(document, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(roster, "put", overtaken)
    await imported(roster, tmp_path, {"people": ["id,name,phone", "p-1,新名,19900000001"]})
    assert done == ["p-1"]
    (person,) = (await roster.people([PersonId("p-1")])).values()
    assert (person.name, person.contact_points) == ("新名", (PUSH,))


async def test_an_import_that_was_cut_off_leaves_no_dangling_reference_and_is_completed(
    roster: Roster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, left = roster.put, 5

    async def cut_off(document: Document, **how: object) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise Unavailable("cut off")
        return await put(document, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(roster, "put", cut_off)
    with pytest.raises(Unavailable):
        await imported(roster, tmp_path)
    assert {key.split()[0] for key in await everything(roster)} == {"area", "person"}
    monkeypatch.undo()
    report = await imported(roster, tmp_path)
    assert report.written is not None
    assert (report.written.created, report.written.unchanged) == (3, 5)


async def test_a_workbook_is_imported_as_csv_is(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    expected = await everything(roster)
    book = Workbook()
    for name, lines in SHEETS.items():
        sheet = book.create_sheet(name)
        for row in csv.reader(lines):
            sheet.append(row)
    book.save(tmp_path / "名册.xlsx")
    other = Roster(roster._nc, f"{roster.site}x")
    report = await import_files(other, [tmp_path / "名册.xlsx"], by="test")
    assert problems(report) == []
    assert await everything(other) == expected


async def test_an_empty_file_is_named(roster: Roster, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("\n\n")
    report = await import_files(roster, [tmp_path / "empty.csv"], by="test")
    assert "nothing in it" in problems(report)[0]
    assert report.written is None


plain = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20).filter(
    lambda text: text[0] not in "=+-@#"
)
named = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True), plain, min_size=1, max_size=12
)


@given(people=named, encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]))
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_stands_in_a_file_stands_in_the_roster(
    roster: Roster, tmp_path: Path, people: dict[str, str], encoding: str
) -> None:
    path = tmp_path / "people.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["人员编号", "姓名", "手机号"])
        rows.writerows([name, called, f"199 0000 {n:04}"] for n, (name, called) in enumerate(people.items()))
    report = await import_files(roster, [path], by="test")
    assert problems(report) == []
    found = await roster.people([PersonId(name) for name in people])
    assert {name: person.name for name, person in found.items()} == people


TEXTED = [
    "id,name,phone,短信",
    "p-1,罗玉珍,19900000001,是",
    "p-2,段学文,19900000002,+86 138 0013 8000",
    "o-1,普桂芳,19900000003,",
]


async def test_who_is_called_by_text_message_says_a_column(roster: Roster, tmp_path: Path) -> None:
    def numbers(found: Mapping[str, object]) -> dict[str, list[object]]:
        return {person.id: list(person.contact_points) for person in found.values() if isinstance(person, Person)}

    assert problems(await imported(roster, tmp_path, {**SHEETS, "people": TEXTED})) == []
    texted = {
        "p-1": [SmsPoint(number="+8619900000001")],
        "p-2": [SmsPoint(number="+8613800138000")],
        "o-1": [],
    }
    assert numbers(await everything(roster)) == texted
    push = WebPushPoint(endpoint="https://push.example/1", p256dh="k", auth="a")
    await roster.update_person(
        PersonId("p-2"), lambda p: msgspec.structs.replace(p, contact_points=(push, *p.contact_points)), by="p-2"
    )
    assert problems(await imported(roster, tmp_path)) == []
    assert numbers(await everything(roster)) == {**texted, "p-2": [push, *texted["p-2"]]}, "a file without leaves it"
    moved = [*TEXTED[:2], "p-2,段学文,19900000002,是", TEXTED[3]]
    assert problems(await imported(roster, tmp_path, {**SHEETS, "people": moved})) == []
    assert numbers(await everything(roster))["p-2"] == [push, SmsPoint(number="+8619900000002")]


@pytest.mark.parametrize(
    ("phone", "sms", "wrong"),
    [
        ("0878-3211001", "是", "takes no texts"),
        ("19900000002", "0878-3211001", "takes no texts"),
        ("19900000002", "maybe", "not a phone number"),
    ],
)
async def test_a_number_that_takes_no_texts_is_reported(
    roster: Roster, tmp_path: Path, phone: str, sms: str, wrong: str
) -> None:
    people = [*TEXTED[:2], f"p-2,段学文,{phone},{sms}", TEXTED[3]]
    (problem,) = problems(await imported(roster, tmp_path, {**SHEETS, "people": people}))
    assert problem.startswith("people.csv:3:D(短信)")
    assert wrong in problem


NTFY, BARK = "ntfys://u:hush-1@ntfy.example/topic", "barks://api.day.app/hush-2"
APPRISE_HEADER = "id,name,phone,apprise"


async def test_messengers_of_the_file_stand_for_those_before_and_are_not_doubled(
    roster: Roster, tmp_path: Path
) -> None:
    sheet = {"people": [APPRISE_HEADER, f"p-1,罗玉珍,19900000001,{NTFY} ; {BARK} {NTFY}"]}
    await imported(roster, tmp_path, sheet)
    points = (ApprisePoint(url=NTFY), ApprisePoint(url=BARK))
    assert await points_of(roster) == points
    await roster.update_person(
        PersonId("p-1"), lambda old: msgspec.structs.replace(old, contact_points=(PUSH, *points)), by="phone"
    )
    again = await imported(roster, tmp_path, sheet)
    assert again.written is not None
    assert again.written.unchanged == 1
    assert await points_of(roster) == (PUSH, *points)
    await imported(roster, tmp_path, {"people": [APPRISE_HEADER, f"p-1,罗玉珍,19900000001,{BARK}"]})
    assert await points_of(roster) == (PUSH, ApprisePoint(url=BARK))
    await imported(roster, tmp_path, {"people": ["id,name,phone", "p-1,罗玉珍,19900000001"]})
    assert await points_of(roster) == (PUSH, ApprisePoint(url=BARK))


async def points_of(roster: Roster) -> tuple[object, ...]:
    (person,) = (await roster.people([PersonId("p-1")])).values()
    return person.contact_points


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (f"{NTFY} syslog://hush", "no. 2 of 2 speaks to this machine itself"),
        ("gnome://hush", "speaks to this machine itself"),
        ("fcm://hush/k/t?keyfile=/etc/hush", "names a file of this machine"),
        ("hush-hush", "is no Apprise URL"),
        ("=hush://x", "of a kind that Apprise does not know"),
        ("ntfys://hush/" + "x" * 1000, "longer than 1000 characters"),
        ("ntfys://hush\u0007/x", "control character"),
    ],
)
async def test_a_wrong_messenger_is_named_by_line_and_column_and_its_secret_is_not_shown(
    roster: Roster, tmp_path: Path, cell: str, said: str
) -> None:
    report = await imported(roster, tmp_path, {"people": [APPRISE_HEADER, f"p-1,罗玉珍,19900000001,{cell}"]})
    (problem,) = problems(report)
    assert problem.startswith("people.csv:2:D(apprise)")
    assert said in problem
    assert "hush" not in problem


async def test_a_sheet_without_a_header_shows_no_secret(roster: Roster, tmp_path: Path) -> None:
    report = await imported(roster, tmp_path, {"people": [f"p-1,罗玉珍,19900000001,{NTFY}"]})
    assert "hush" not in "".join(problems(report))


async def test_the_post_of_110_is_imported(roster: Roster, tmp_path: Path) -> None:
    posts = ["id,name,area,role", "x,110,v,110指挥中心", "y,110,v,emergency_centre"]
    await imported(roster, tmp_path, {**SHEETS, "posts": posts})
    assert {post.role async for post in roster.all("post") if isinstance(post, Post)} == {"emergency_centre"}
