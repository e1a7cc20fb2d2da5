"""CSV and XLSX files as sheets of text cells, however they were saved."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from dispatch.roster.imports.problems import BadFileError, Place

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_ROWS = 1_000_000
EXCEL_ROWS = 1_048_576
"""Of a sheet (Excel specifications and limits); a format may have been given to all of them."""
MAX_COLUMNS = 64
MAX_CELL = 2_000
DAMAGED = (
    zipfile.BadZipFile, zlib.error, LookupError, ValueError, TypeError, AttributeError, SyntaxError, EOFError, OSError,
    RuntimeError, ArithmeticError,
)  # fmt: skip
"""What openpyxl, and those whom it asks, raise for files that are no workbooks, or not any more."""

_BYTE_ORDER_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")


class Row(msgspec.Struct, frozen=True):
    """One row: where it stands, and its cells without space around them."""

    place: Place
    cells: tuple[str, ...]


class Sheet(msgspec.Struct, frozen=True):
    """A sheet: its first row with anything in it, and those behind, none of them empty."""

    header: Row
    rows: list[Row]


def read_file(path: Path) -> list[Sheet]:
    """Every sheet of the file that has anything in it. Raises `BadFileError`, saying what to do."""
    name, suffix = str(path), path.suffix.lower()
    if path.is_dir():
        raise BadFileError(name, "is a folder, not a file", "name the .csv or .xlsx file in it")
    if suffix == ".csv":
        sheets = _sheets([(name, _csv_rows(name, _content(path)))])
    elif suffix == ".xlsx":
        sheets = _workbook(name, _content(path))
    else:
        raise BadFileError(name, f"{suffix or 'a file without an ending'} is not read", "save it as .csv or .xlsx")
    if not sheets:
        raise BadFileError(name, "there is nothing in it", "leave it out, or save it again")
    return sheets


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size <= MAX_FILE_BYTES:
            return path.read_bytes()
    except FileNotFoundError:
        raise BadFileError(str(path), "is not there", "check the name, and the folder you are in") from None
    except OSError as error:
        raise BadFileError(str(path), f"cannot be opened: {error.strerror}", "check its name and permissions") from None
    wrong = f"the file has {size:,} bytes, at most {MAX_FILE_BYTES:,} are read"
    raise BadFileError(str(path), wrong, "split it into several")


def _sheets(named: Iterable[tuple[str, Iterator[tuple[int, tuple[str, ...]]]]]) -> list[Sheet]:
    found = []
    for name, lines in named:
        rows = [Row(Place(name, line), _checked(name, line, cells)) for line, cells in lines if any(cells)]
        if rows:
            found.append(Sheet(rows[0], rows[1:]))
    return found


def _checked(name: str, line: int, cells: tuple[str, ...]) -> tuple[str, ...]:
    if line > MAX_ROWS:
        raise BadFileError(name, f"more than {MAX_ROWS:,} rows", "split it into several files", line)
    if len(cells) > MAX_COLUMNS and any(cells[MAX_COLUMNS:]):
        raise BadFileError(name, f"more than {MAX_COLUMNS} columns", "remove those that are not needed", line)
    if any(len(cell) > MAX_CELL for cell in cells):
        raise BadFileError(name, f"a cell of more than {MAX_CELL} characters", "shorten it; is a quote missing?", line)
    return cells[:MAX_COLUMNS]


def _csv_rows(name: str, content: bytes) -> Iterator[tuple[int, tuple[str, ...]]]:
    text = _decoded(name, content)
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, tuple(cell.strip() for cell in cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadFileError(name, f"not CSV: {error}", "is a quote missing or doubled?", line) from None


def _delimiter(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    return max((",", ";", "\t"), key=first.count)


def _decoded(name: str, content: bytes) -> str:
    if content.startswith(_BYTE_ORDER_MARKS_16):
        raise BadFileError(name, "the file is UTF-16", "save it as “CSV UTF-8”")
    if b"\x00" in content:
        raise BadFileError(name, "the file is not text (it has zero bytes)", "save it as CSV again")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFileError(name, "the file is neither UTF-8 nor GB18030", "save it as “CSV UTF-8”")


def _workbook(name: str, content: bytes) -> list[Sheet]:
    from openpyxl import load_workbook  # slow to import, and text files need none of it

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(info.file_size for info in packed.infolist()) > MAX_UNPACKED_BYTES:
                raise BadFileError(name, "the workbook unpacks to too much", "remove pictures, or split it")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        return _sheets(
            (f"{name}[{sheet.title}]", _sheet_rows(sheet)) for sheet in book.worksheets if sheet.title[:1] != "#"
        )
    except DAMAGED as error:
        raise BadFileError(name, f"not a workbook: {error}", "open it and save it as .xlsx again") from None


def _sheet_rows(sheet: object) -> Iterator[tuple[int, tuple[str, ...]]]:
    # What the sheet says about its own size may be wrong, and then rows would be missing.
    sheet.reset_dimensions()  # type: ignore[attr-defined]
    for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):  # type: ignore[attr-defined]
        if line > EXCEL_ROWS:  # a row can say that it is any, and the empty ones before it would take for ever
            raise ValueError(f"it has a row beyond {EXCEL_ROWS:,}, the last that there is")
        yield line, tuple(_text(cell) for cell in cells)


def _text(cell: object) -> str:
    """A cell of a workbook as it would stand in a CSV file."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
