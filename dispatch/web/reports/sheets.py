"""Tables as text files for a spreadsheet, in which no cell is taken for a formula."""

from __future__ import annotations

import csv
import io

from dispatch.drills.sheet import BOM, safe
from dispatch.web.reports.tables import Table

CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DECIMALS = 6


def as_csv(table: Table) -> str:
    """The text of a CSV file (RFC 4180) with a byte order mark, for Excel."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in (table.header, *table.rows):
        writer.writerow(safe(cell) if isinstance(cell, str) else number(cell) for cell in row)
    return BOM + out.getvalue()


def number(value: float | None) -> float | None:
    """A whole number without decimals, in both kinds of file."""
    if not isinstance(value, float):
        return value
    rounded = round(value, DECIMALS)
    return int(rounded) if rounded.is_integer() else rounded
