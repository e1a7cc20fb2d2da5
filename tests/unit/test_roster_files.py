"""Files as people save them: encodings, separators, broken ones, and the header row that says what a sheet holds."""

from __future__ import annotations

import re
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from openpyxl import Workbook

from dispatch.roster.imports.columns import COLUMNS, Layout, SheetKind, recognise
from dispatch.roster.imports.files import MAX_FILE_BYTES, Row, Sheet, read_file
from dispatch.roster.imports.problems import BadFileError, Place

TEXT = "人员编号,姓名,手机号\r\np-1,龙㛃,13800138000\r\n\r\np-2,䶮某,13800138001\r\n"


def written(folder: Path, content: bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_file_reads_the_same_in_each_encoding_that_spreadsheets_write(tmp_path: Path, encoding: str) -> None:
    (sheet,) = read_file(written(tmp_path, TEXT.encode(encoding)))
    assert sheet.header.cells == ("人员编号", "姓名", "手机号")
    assert [(row.place.line, row.cells[1]) for row in sheet.rows] == [(2, "龙㛃"), (4, "䶮某")]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_known_from_the_header(tmp_path: Path, separator: str) -> None:
    (sheet,) = read_file(written(tmp_path, TEXT.replace(",", separator).encode()))
    assert sheet.rows[0].cells == ("p-1", "龙㛃", "13800138000")


def test_a_cell_over_two_lines_keeps_the_lines_behind_it_right(tmp_path: Path) -> None:
    (sheet,) = read_file(written(tmp_path, b'id,name,phone\np-1,"a\nb",1\np-2,c,2\n'))
    assert [row.place.line for row in sheet.rows] == [2, 4]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (TEXT.encode("utf-16"), "a.csv", "UTF-16"),
        (b"id\x00,name\n", "a.csv", "zero bytes"),
        (b"id,name\n\xff\xff\n", "a.csv", "neither UTF-8 nor GB18030"),
        (b'id,name\np-1,"open\n', "a.csv", "not CSV"),
        (b"id,name\np-1," + b"x" * 3000 + b"\n", "a.csv", "a cell of more than"),
        (b"id," * 100 + b"id\n", "a.csv", "columns"),
        (b"PK not a zip", "a.xlsx", "not a workbook"),
        (b"{}", "a.json", ".json is not read"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, name: str, said: str) -> None:
    path = written(tmp_path, content, name)
    with pytest.raises(BadFileError) as caught:
        read_file(path)
    assert str(caught.value.problem).startswith(str(path))
    assert said in caught.value.problem.wrong
    assert caught.value.problem.advice


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(BadFileError, match="bytes"):
        read_file(path)


def test_a_workbook_has_a_sheet_for_each_that_is_not_empty(tmp_path: Path) -> None:
    book = Workbook()
    book.create_sheet("空").append([None, None])
    people = book.create_sheet("人员")
    people.append(["人员编号", "姓名", "手机号"])
    people.append(["p-1", " 段学文 ", 13800138000])
    people.append([None, None, None])
    people.append(["p-2", datetime(2026, 11, 21, 8), 13800138001.0])  # noqa: DTZ001 - a workbook knows no zones
    book.save(tmp_path / "名册.xlsx")
    (sheet,) = read_file(tmp_path / "名册.xlsx")
    assert sheet.header.place == Place(f"{tmp_path}/名册.xlsx[人员]", 1)
    assert [row.cells for row in sheet.rows] == [
        ("p-1", "段学文", "13800138000"),
        ("p-2", "2026-11-21 08:00:00", "13800138001"),
    ]
    assert sheet.rows[1].place.line == 4


def small(folder: Path) -> Path:
    """A good workbook."""
    book, path = Workbook(), folder / "a.xlsx"
    book.worksheets[0].append(["人员编号"])
    book.worksheets[0].append(["p-1"])
    book.save(path)
    return path


def altered(folder: Path, part: str, old: bytes, new: bytes) -> Path:
    """A workbook in whose `part` the first `old` is `new`."""
    changed = folder / "b.xlsx"
    with zipfile.ZipFile(small(folder)) as good, zipfile.ZipFile(changed, "w") as packed:
        for name in good.namelist():
            content = good.read(name)
            assert name != part or old in content
            packed.writestr(name, content.replace(old, new, 1) if name == part else content)
    return changed


@pytest.mark.timeout(60)
def test_a_row_that_says_it_is_far_below_the_last_of_a_sheet_is_not_waited_for(tmp_path: Path) -> None:
    path = altered(tmp_path, "xl/worksheets/sheet1.xml", b'<row r="2"', b'<row r="9999999999"')
    with pytest.raises(BadFileError, match="not a workbook"):
        read_file(path)


def test_a_workbook_that_is_damaged_says_why(tmp_path: Path) -> None:
    missing = altered(tmp_path, "xl/worksheets/sheet1.xml", b'"inlineStr"', b'"s"><v>99</v></c><c r="B1"')
    with pytest.raises(BadFileError, match="not a workbook"):
        read_file(missing)
    torn = small(tmp_path).read_bytes()
    start = torn.index(b"xl/worksheets/sheet1.xml") + len("xl/worksheets/sheet1.xml")
    with pytest.raises(BadFileError, match="not a workbook"):
        read_file(written(tmp_path, torn[:start] + b"\xff" * 40 + torn[start + 40 :], "torn.xlsx"))


def test_a_workbook_with_a_length_of_time_that_cannot_be_says_why(tmp_path: Path) -> None:
    too_long = b'"d"><v>PT9999999999999999999999H</v></c><c r="B1"'
    with pytest.raises(BadFileError, match="not a workbook"):
        read_file(altered(tmp_path, "xl/worksheets/sheet1.xml", b'"inlineStr"', too_long))


def test_a_workbook_with_a_password_says_why(tmp_path: Path) -> None:
    locked = bytearray(small(tmp_path).read_bytes())
    for entry in re.finditer(b"PK\x01\x02", bytes(locked)):
        locked[entry.start() + 8] |= 1  # its flags: encrypted
    with pytest.raises(BadFileError, match=r"not a workbook.*encrypted"):
        read_file(written(tmp_path, bytes(locked), "locked.xlsx"))


def sheet_with(*headers: str) -> Sheet:
    return Sheet(Row(Place("a.csv", 1), headers), [])


@pytest.mark.parametrize("kind", COLUMNS)
def test_each_kind_of_sheet_is_known_by_its_english_and_its_chinese_headers(kind: SheetKind) -> None:
    for headers in (
        [column.name for column in COLUMNS[kind]],
        [column.headers[0] for column in COLUMNS[kind]],
        [column.name for column in COLUMNS[kind] if column.required],
    ):
        layout = recognise(sheet_with(*headers))
        assert isinstance(layout, Layout)
        assert layout.kind == kind


@given(st.data())
@hypothesis_settings(deadline=None)
def test_no_other_name_of_a_column_makes_another_kind_of_sheet(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(COLUMNS)))
    headers = [data.draw(st.sampled_from((column.name, *column.headers))) for column in COLUMNS[kind]]
    order = data.draw(st.permutations(headers))
    layout = recognise(sheet_with(*order))
    assert isinstance(layout, Layout)
    assert layout.kind == kind
    assert layout.columns == {
        column.name: (order.index(header), header) for column, header in zip(COLUMNS[kind], headers, strict=True)
    }


def test_headers_may_carry_stars_spaces_and_remarks() -> None:
    layout = recognise(sheet_with("人员 编号*", "姓名（必填）", "手机号 (11位)", "序号", "#旧号"))
    assert isinstance(layout, Layout)
    assert set(layout.columns) == {"id", "name", "phone"}


def test_a_header_with_a_typo_is_named_with_what_it_may_have_been() -> None:
    problems = recognise(sheet_with("id", "name", "phnoe"))
    assert isinstance(problems, list)
    unknown, missing = map(str, problems)
    assert unknown.startswith("a.csv:1:C(phnoe) 'phnoe' → a sheet of people has no such column ")
    assert (
        "(it has id, name, phone, webhook, webhook_secret, sms, apprise); did you mean phone? else remove it" in unknown
    )
    assert missing.startswith("a.csv:1 '' → a sheet of people needs a column phone; add one: phone / 手机号")


def test_a_column_that_stands_twice_is_refused() -> None:
    problems = recognise(sheet_with("id", "name", "phone", "手机号"))
    assert isinstance(problems, list)
    assert ["twice" in problem.wrong for problem in problems] == [True]


@pytest.mark.parametrize("headers", [("牟定县联防名册",), ("说明", "填表人"), ("x", "y")])
def test_a_sheet_that_is_none_of_ours_is_named_once_with_the_way_out(headers: tuple[str, ...]) -> None:
    problems = recognise(sheet_with(*headers))
    assert isinstance(problems, list)
    (problem,) = map(str, problems)
    assert problem.startswith(f"a.csv:1 '{', '.join(headers)}' → not known by its first row")
    assert "begin its name with '#'" in problem


def test_a_sheet_whose_name_begins_so_is_left_out(tmp_path: Path) -> None:
    book = Workbook()
    book.create_sheet("#说明").append(["填表说明"])
    book.create_sheet("人员").append(["人员编号", "姓名", "手机号"])
    book.save(tmp_path / "名册.xlsx")
    assert [sheet.header.place.file for sheet in read_file(tmp_path / "名册.xlsx")] == [f"{tmp_path}/名册.xlsx[人员]"]
