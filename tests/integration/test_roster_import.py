"""Importing the roster: everything is checked first, all goes in or nothing, and a second run changes nothing."""

from __future__ import annotations

import csv
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
from dispatch.identifiers import AreaId, HouseholdId, PersonId, Site
from dispatch.roster import (
    Document,
    Duty,
    Group,
    Person,
    Post,
    Roster,
)
from dispatch.roster.imports import import_files
from tests.roster_sheets import PUSH, SHEETS, everything, imported, problems, written


@pytest.fixture
def roster(nc: Client, site: Site) -> Roster:
    return Roster(nc, site)


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


async def test_that_writing_begins_is_told_before_anything_is_written(
    roster: Roster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that is stopped just then would say that nothing was."""
    told: list[tuple[str, int, int]] = []
    before: list[tuple[str, int, int]] = []

    async def put(*_: object, **__: object) -> int:
        before.append(told[-1])
        return 1

    monkeypatch.setattr(Roster, "put", put)
    files = written(tmp_path, {name: SHEETS[name] for name in ("areas", "people")})
    await import_files(roster, files, by="test", progress=lambda *stage: told.append(stage))
    assert before[0] == ("writing", 0, 5)


async def test_a_dry_run_says_what_would_be_written_and_writes_nothing(roster: Roster, tmp_path: Path) -> None:
    report = await import_files(roster, written(tmp_path, SHEETS), by="test", dry_run=True)
    assert report.written is not None
    assert report.written.created == 8
    assert await roster.is_empty()


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


async def test_the_post_of_110_is_imported(roster: Roster, tmp_path: Path) -> None:
    posts = ["id,name,area,role", "x,110,v,110指挥中心", "y,110,v,emergency_centre"]
    await imported(roster, tmp_path, {**SHEETS, "posts": posts})
    assert {post.role async for post in roster.all("post") if isinstance(post, Post)} == {"emergency_centre"}
