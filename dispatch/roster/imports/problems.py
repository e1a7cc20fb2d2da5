"""What is wrong with a file: where, which value, and the way out."""

from __future__ import annotations

import msgspec

_SHOWN = 60


class Place(msgspec.Struct, frozen=True, order=True):
    """A row of a file. `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int = 0


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that keeps a row out. `column` counts from 1, 0 is the whole row; `header` is as the file has it."""

    place: Place
    column: int = 0
    header: str = ""
    value: str = ""
    wrong: str
    advice: str

    def __str__(self) -> str:
        place = f"{self.place.file}:{self.place.line}" if self.place.line else self.place.file
        if self.column:
            from openpyxl.utils import get_column_letter  # slow to import, and most files have nothing wrong

            place += f":{get_column_letter(self.column)}({self.header})"
        shown = self.value if len(self.value) <= _SHOWN else f"{self.value[:_SHOWN]}…"
        where = f"{place} {shown!r} →" if self.place.line else f"{place}:"
        return f"{where} {self.wrong}; {self.advice}"


class BadFileError(Exception):
    """The file, or a sheet of it, cannot be read at all."""

    def __init__(self, file: str, wrong: str, advice: str, line: int = 0) -> None:
        super().__init__(wrong)
        self.problem = Problem(place=Place(file, line), wrong=wrong, advice=advice)
