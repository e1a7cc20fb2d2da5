"""Sheets for the roster, as somebody fills them in, and what became of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dispatch.roster import (
    KINDS,
    Document,
    Roster,
    WebPushPoint,
)
from dispatch.roster.imports import Report, import_files

Sheets = Mapping[str, Sequence[str]]

SHEETS: Sheets = {
    "areas": ["id,name,kind,parent", "c,牟定县,县,", "v,茅州村,村,c"],
    "people": ["id,name,phone", "p-1,罗玉珍,199 0000 0001", "p-2,段学文,199-0000-0002", "o-1,普桂芳,+8619900000003"],
    "groups": ["id,name,area,leader,members", "g,一组,v,p-1,p-1 p-2"],
    "households": ["id,name,address,area,group,phone", "h,段家,一组1号,v,g,0878-5211234"],
    "posts": ["id,name,area,role", "x,茅州村辅警,v,辅警"],
    "duty": ["post,person,start,end", "x,o-1,2026-11-21 08:00,2026-11-22 08:00"],
}
PUSH = WebPushPoint(endpoint="https://push.example/1", p256dh="k", auth="a")
NTFY, BARK = "ntfys://u:hush-1@ntfy.example/topic", "barks://api.day.app/hush-2"


def written(folder: Path, sheets: Sheets) -> list[Path]:
    for name, lines in sheets.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return [folder / f"{name}.csv" for name in sheets]


async def imported(roster: Roster, folder: Path, sheets: Sheets = SHEETS, *, partial: bool = False) -> Report:
    return await import_files(roster, written(folder, sheets), by="test", partial=partial)


async def everything(roster: Roster) -> dict[str, Document]:
    return {f"{kind} {document.id}": document for kind in KINDS async for document in roster.all(kind)}


def problems(report: Report) -> list[str]:
    """Each problem as `file:line:column value → …`, without the folder."""
    return [re.sub(r"\S*/(\w+\.(csv|xlsx))", r"\1", str(problem)) for problem in report.problems]
