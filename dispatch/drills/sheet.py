"""A drill's report as CSV, to be opened in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from dispatch.drills.report import Line, Report

HEADER = (
    "演练 drill", "户 household", "户名 name", "联防组 group", "人员 person", "姓名 name", "角色 role",
    "渠道 channels", "送达秒 delivered s", "看到秒 seen s", "应答秒 answered s", "应答 answer", "原因 why",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins with one of these may be run by a spreadsheet (OWASP, CSV injection)."""
BOM = "\ufeff"
"""Without it Excel takes UTF-8 for the code page of its user."""


def sheet(report: Report, names: Mapping[str, str]) -> str:
    """The report as text of a CSV file (RFC 4180); `names` are those of people, households and groups by id."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow(HEADER)
    for line in report.lines:
        writer.writerow(map(safe, _cells(report.drill.id, line, names)))
    for what, reason in report.missing:
        writer.writerow(map(safe, (report.drill.id, "", "", "", "", what, *[""] * 6, reason)))
    return BOM + out.getvalue()


def safe(cell: str) -> str:
    """`cell` as no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _cells(drill: str, line: Line, names: Mapping[str, str]) -> tuple[str, ...]:
    channels = "; ".join(f"{one.channel} {one.outcome or 'owed'}" for one in line.tried)
    return (
        drill,
        line.household,
        names.get(line.household, ""),
        names.get(line.group or "", line.group or ""),
        line.responder,
        names.get(line.responder, ""),
        ", ".join(reason.role for reason in line.reasons),
        channels,
        *map(_seconds, (line.delivered_seconds, line.seen_seconds, line.answered_seconds)),
        line.answer or "",
        line.why,
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
