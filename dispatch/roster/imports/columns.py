"""Which columns each kind of sheet has, what their headers may be called, and which kind a sheet is.

`docs/roster.md` is the same for people; a test holds the two together.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import Literal

import msgspec

from dispatch.roster.imports.files import Sheet
from dispatch.roster.imports.problems import Problem

SheetKind = Literal["area", "person", "group", "post", "duty", "household"]

SHEETS: dict[SheetKind, str] = {
    "area": "areas",
    "person": "people",
    "group": "groups",
    "post": "posts",
    "duty": "duty",
    "household": "households",
}


class Column(msgspec.Struct, frozen=True):
    """A column by its name; `headers` are what it may be called besides."""

    name: str
    headers: tuple[str, ...]
    required: bool = False


def _column(name: str, *headers: str) -> Column:
    return Column(name, headers)


def _required(name: str, *headers: str) -> Column:
    return Column(name, headers, required=True)


COLUMNS: dict[SheetKind, tuple[Column, ...]] = {
    "area": (
        _required("id", "辖区编号", "编号"),
        _required("name", "辖区名称", "名称"),
        _required("kind", "辖区类型", "类型", "级别"),
        _column("parent", "上级辖区", "上级"),
        _column("response_target_seconds", "见警时限秒", "见警时限"),
        _column("neighbours", "邻村", "相邻辖区"),
    ),
    "person": (
        _required("id", "人员编号", "编号"),
        _required("name", "姓名"),
        _required("phone", "手机号", "手机", "电话", "号码"),
        _column("webhook", "回调地址"),
        _column("webhook_secret", "回调密钥"),
        _column("sms", "短信"),
        _column("apprise", "消息推送地址", "推送地址"),
    ),
    "group": (
        _required("id", "联防组编号", "组编号", "编号"),
        _required("name", "联防组名称", "组名", "名称"),
        _required("area", "辖区"),
        _required("members", "组员"),
        _column("leader", "组长", "联防组长"),
        _column("neighbours", "邻组", "相邻联防组"),
    ),
    "post": (
        _required("id", "岗位编号", "编号"),
        _required("name", "岗位名称", "名称"),
        _required("area", "辖区"),
        _required("role", "岗位类型", "角色"),
    ),
    "duty": (
        _required("post", "岗位"),
        _required("person", "人员", "值班人"),
        _column("start", "开始", "开始时间"),
        _column("end", "结束", "结束时间"),
    ),
    "household": (
        _required("id", "户编号", "编号"),
        _required("name", "户名", "户主", "名称"),
        _required("address", "地址", "住址"),
        _required("area", "辖区"),
        _column("group", "联防组"),
        _column("phone", "电话", "手机号", "手机"),
        _column("note", "备注", "说明"),
        _column("residents", "同住人员", "同住"),
    ),
}


class Layout(msgspec.Struct, frozen=True):
    """What a sheet holds, and for each column its place from 0 and its header as written."""

    kind: SheetKind
    columns: dict[str, tuple[int, str]]


def recognise(sheet: Sheet) -> Layout | list[Problem]:
    """The layout of a sheet, or what is wrong with its header row."""
    headers = [(place, header) for place, header in enumerate(sheet.header.cells) if header and not _left_out(header)]
    kind = max(COLUMNS, key=lambda candidate: _score(candidate, [header for _, header in headers]))
    if not _is_meant(kind, [header for _, header in headers]):
        return [_stranger(sheet)]
    names = _names(kind)
    problems: list[Problem] = []
    columns: dict[str, tuple[int, str]] = {}
    for place, header in headers:
        name = names.get(_plain(header))
        if name is None:
            problems.append(_unknown(sheet, kind, place, header))
        elif name in columns:
            problems.append(_problem(sheet, place, header, f"column {name} stands here twice", "remove one of them"))
        else:
            columns[name] = (place, header)
    problems += [
        _problem(
            sheet, -1, "", f"a sheet of {SHEETS[kind]} needs a column {column.name}", f"add one: {_called(column)}"
        )
        for column in COLUMNS[kind]
        if column.required and column.name not in columns
    ]
    return problems or Layout(kind, columns)


def _left_out(header: str) -> bool:
    return header.startswith("#") or header == "序号"


def _score(kind: SheetKind, headers: list[str]) -> tuple[bool, int, int]:
    """How well `headers` fit: all that is required first, then how many fit or nearly do, then how few are missing."""
    names = _names(kind)
    present = {names[_plain(header)] for header in headers if _plain(header) in names}
    meant = {name for header in headers if (name := _meant(kind, header)) is not None}
    missing = {column.name for column in COLUMNS[kind] if column.required} - present
    return not missing, len(present | meant), -len(missing)


def _is_meant(kind: SheetKind, headers: list[str]) -> bool:
    """Whether a column that a sheet of `kind` needs is there, if perhaps with a typo."""
    required = {column.name for column in COLUMNS[kind] if column.required}
    return any((_names(kind).get(_plain(header)) or _meant(kind, header)) in required for header in headers)


@cache
def _names(kind: SheetKind) -> dict[str, str]:
    return {_plain(header): column.name for column in COLUMNS[kind] for header in (column.name, *column.headers)}


def _plain(header: str) -> str:
    """A header without what people add to it: case, spaces, stars, and remarks in brackets."""
    return re.sub(r"[\s_*＊:：]|[(（].*?[)）]", "", header).casefold()


def _meant(kind: SheetKind, header: str) -> str | None:
    """The column that a header with a typo may stand for."""
    near = get_close_matches(_plain(header), _names(kind), n=1, cutoff=0.6)
    return _names(kind)[near[0]] if near else None


def _unknown(sheet: Sheet, kind: SheetKind, place: int, header: str) -> Problem:
    name = _meant(kind, header)
    meant = f"did you mean {name}? else " if name is not None else ""
    known = ", ".join(column.name for column in COLUMNS[kind])
    return _problem(
        sheet,
        place,
        header,
        f"a sheet of {SHEETS[kind]} has no such column (it has {known})",
        f"{meant}remove it, or begin its header with '#' to have it left out",
    )


def _stranger(sheet: Sheet) -> Problem:
    return Problem(
        place=sheet.header.place,
        value=", ".join("…" if "://" in cell else cell for cell in sheet.header.cells if cell),
        wrong=f"not known by its first row: it is no header row of {', '.join(SHEETS.values())}",
        advice="write the header row first (docs/roster.md has the columns); what is not for the roster, "
        "leave out (a sheet is left out when you begin its name with '#')",
    )


def _problem(sheet: Sheet, place: int, header: str, wrong: str, advice: str) -> Problem:
    return Problem(place=sheet.header.place, column=place + 1, header=header, value=header, wrong=wrong, advice=advice)


def _called(column: Column) -> str:
    return " / ".join((column.name, *column.headers))
