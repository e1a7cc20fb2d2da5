"""One row, cell by cell: each read says what the cell must be, and notes a problem when it is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TypeVar

import phonenumbers

from dispatch.identifiers import TOKEN
from dispatch.roster.imports.columns import Layout
from dispatch.roster.imports.files import Row
from dispatch.roster.imports.problems import Place, Problem

CHINA = timezone(timedelta(hours=8))
"""A time without an offset is China Standard Time, which has known no summer time since 1991."""

_BETWEEN_IDS = re.compile(r"[\s;；,，、|/]+")
_BETWEEN_SECRETS = re.compile(r"[\s;；]+")
HIDDEN = "…"
"""What stands for a secret in a problem."""
_SHEET_ERRORS = {"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!"}
_FORMULA = re.compile(r"[=@+-].")

_YES, _NO = {"yes", "y", "true", "是", "有"}, {"", "no", "n", "false", "否", "无"}

T = TypeVar("T")


class Cells:
    """A row under its headers. `problems` grows as cells are read."""

    def __init__(self, layout: Layout, row: Row) -> None:
        self._layout, self._row = layout, row
        self.problems: list[Problem] = []

    @property
    def place(self) -> Place:
        return self._row.place

    def text(self, column: str, *, required: bool = False, longest: int = 200) -> str:
        """The cell as text; "" when it is empty."""
        value = self._value(column, required=required)
        if _FORMULA.match(value):
            self.wrong(column, "begins like a formula, which a spreadsheet would run", "remove the first character")
        if len(value) > longest:
            self.wrong(column, f"is longer than {longest} characters", "shorten it")
        return value

    def id(self, column: str, *, required: bool = False) -> str | None:
        value = self._value(column, required=required)
        return self._id(column, value) if value else None

    def ids(self, column: str, *, required: bool = False) -> tuple[str, ...]:
        """Ids with spaces, commas or semicolons between them; one at least when `required`."""
        names = [name for name in _BETWEEN_IDS.split(self._value(column, required=required)) if name]
        return tuple(self._id(column, name) for name in names)

    def secrets(self, column: str, *, longest: int = 1000) -> tuple[str, ...]:
        """What stands in a cell of secrets, with spaces or semicolons between; no problem repeats any of it."""
        value = self._raw(column)
        if not value.isprintable():
            self.wrong(column, "has a line break or another control character", "remove it", value=HIDDEN)
            return ()
        found = tuple(dict.fromkeys(one for one in _BETWEEN_SECRETS.split(value) if one))
        for one in found:
            if len(one) > longest:
                self.wrong(column, f"is longer than {longest} characters", "shorten it", value=HIDDEN)
        return found

    def phone(self, column: str, *, required: bool = False) -> str | None:
        """The number as E.164; one without a country code is Chinese."""
        value = self._value(column, required=required)
        number = _e164(value) if value else None
        if value and number is None:
            self.wrong(column, "is not a phone number", "write all its digits, +… for one outside China")
        return number

    def mobile(self, column: str, *, instead: str | None) -> str | None:
        """The number for text messages as E.164: that of the cell, or `instead` where it says yes; None where no."""
        said = self._value(column).casefold()
        if said in _NO:
            return None
        number = instead if said in _YES else self.phone(column)
        if number is not None and not _is_mobile(number):
            self.wrong(column, "is for a number that takes no texts", "write the number of a mobile phone")
        return number

    def choice(self, column: str, choices: Mapping[str, T]) -> T | None:
        """What the cell stands for among `choices`, by any of their names."""
        value = self._value(column, required=True)
        if value and value.casefold() not in choices:
            self.wrong(column, "is none of those known", f"write one of: {', '.join(choices)}")
        return choices.get(value.casefold())

    def whole(self, column: str) -> int | None:
        """A whole number above zero."""
        value = self._value(column)
        if value and not (value.isdecimal() and len(value) < 10 and int(value) > 0):
            self.wrong(column, "is not a whole number above zero", "write digits alone")
            return None
        return int(value) if value else None

    def moment(self, column: str) -> datetime | None:
        """A date and time, such as `2026-11-21 08:00`."""
        value = self._value(column).replace("/", "-")
        try:
            read = datetime.fromisoformat(value) if value else None
        except ValueError:
            self.wrong(column, "is not a date and time", "write it like 2026-11-21 08:00")
            return None
        return read.replace(tzinfo=CHINA) if read is not None and read.tzinfo is None else read

    def wrong(self, column: str, wrong: str, advice: str, *, value: str | None = None) -> None:
        """Note a problem with the cell."""
        self.problems.append(self.problem(column, wrong, advice, value=value))

    def problem(self, column: str, wrong: str, advice: str, *, value: str | None = None) -> Problem:
        place, header = self._layout.columns.get(column, (-1, ""))
        return Problem(
            place=self._row.place,
            column=place + 1,
            header=header,
            value=self._raw(column) if value is None else value,
            wrong=wrong,
            advice=advice,
        )

    def _raw(self, column: str) -> str:
        place, _ = self._layout.columns.get(column, (-1, ""))
        return self._row.cells[place] if 0 <= place < len(self._row.cells) else ""

    def _value(self, column: str, *, required: bool = False) -> str:
        value = self._raw(column)
        if value in _SHEET_ERRORS:
            self.wrong(column, "is an error of the spreadsheet", "correct the formula, or write the value itself")
        elif not value.isprintable():
            self.wrong(column, "has a line break or another control character", "remove it")
        elif not value and required:
            self.wrong(column, "is empty", "fill it in")
        else:
            return value
        return ""

    def _id(self, column: str, value: str) -> str:
        if not TOKEN.fullmatch(value):
            self.wrong(column, "is not an id", "use 1 to 64 letters, digits, '-' or '_'", value=value)
        return value


@lru_cache(maxsize=4096)
def _e164(value: str) -> str | None:
    try:
        number = phonenumbers.parse(value, "CN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_mobile(number: str) -> bool:
    kind = phonenumbers.number_type(phonenumbers.parse(number))
    return kind in {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
