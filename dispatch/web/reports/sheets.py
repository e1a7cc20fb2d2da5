"""Tables as files for a spreadsheet, in which no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from dispatch.drills.sheet import BOM, safe
from dispatch.web.reports.tables import Cell, Table

CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LONGEST_TITLE = 31
"""Of a sheet, in Excel; and some characters are not allowed in it."""
DECIMALS = 6


def as_csv(table: Table) -> str:
    """The text of a CSV file (RFC 4180) with a byte order mark, for Excel."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in (table.header, *table.rows):
        writer.writerow(safe(cell) if isinstance(cell, str) else _number(cell) for cell in row)
    return BOM + out.getvalue()


def as_xlsx(tables: Iterable[Table]) -> bytes:
    """An XLSX workbook (ECMA-376), a sheet for each table."""
    book = Workbook(write_only=True)
    for table in tables:
        sheet = book.create_sheet(table.title[:LONGEST_TITLE])
        sheet.freeze_panes = "C2"
        sheet.append([_cell(sheet, head, bold=True) for head in table.header])
        for row in table.rows:
            sheet.append([_cell(sheet, cell) for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(sheet: Any, value: Cell, *, bold: bool = False) -> Any:
    if not isinstance(value, str):
        return _number(value)
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", value))
    # Without these a name that begins with = is a formula, here or when somebody edits it.
    cell.data_type, cell.quotePrefix = "s", True
    if bold:
        cell.font = Font(bold=True)
    return cell


def _number(value: float | None) -> float | None:
    """A whole number without decimals, in both kinds of file."""
    if not isinstance(value, float):
        return value
    rounded = round(value, DECIMALS)
    return int(rounded) if rounded.is_integer() else rounded
