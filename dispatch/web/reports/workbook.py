"""Tables as a workbook. Apart from the text files: it brings openpyxl, which is slow to import."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from dispatch.web.reports.sheets import number
from dispatch.web.reports.tables import Cell, Table

LONGEST_TITLE = 31
"""Of a sheet, in Excel; and some characters are not allowed in it."""


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
        return number(value)
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", value))
    # Without these a name that begins with = is a formula, here or when somebody edits it.
    cell.data_type, cell.quotePrefix = "s", True
    if bold:
        cell.font = Font(bold=True)
    return cell
