"""Importing the roster from CSV and XLSX: read and check everything, then write what differs, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from dispatch.roster.imports.checking import Checked, Progress, check_files, silent
from dispatch.roster.imports.columns import COLUMNS, SheetKind
from dispatch.roster.imports.problems import Place, Problem
from dispatch.roster.imports.writing import Written, write
from dispatch.roster.store import Roster

__all__ = [
    "COLUMNS", "Checked", "Place", "Problem", "Progress", "Report", "SheetKind", "Written",
    "check_files", "import_files", "silent", "write",
]  # fmt: skip


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import: what is wrong, which rows wait for those that are wrong, and what was written."""

    problems: tuple[Problem, ...]
    held_back: tuple[Problem, ...]
    rows: int
    """How many rows were good."""
    left_out: int
    """How many rows were not, or wait for those; rows of a file that cannot be read at all are not counted."""
    written: Written | None
    """None when nothing was to be written because something is wrong."""


async def import_files(
    roster: Roster,
    paths: Iterable[Path],
    *,
    by: str,
    dry_run: bool = False,
    partial: bool = False,
    only_new: bool = False,
    progress: Progress = silent,
) -> Report:
    """Import `paths` as one: rows may refer to rows of any of them, and to what the roster has.

    Nothing is written when anything is wrong, unless `partial`: then good rows go in whose references
    are good. With `dry_run` the report says what would be written. `only_new` leaves documents alone
    that the roster has. Raises `Unavailable` when the roster does not answer.
    """
    checked = await check_files(roster, paths, progress)
    written = None
    if partial or not checked.problems:
        written = await write(roster, checked.records, by=by, progress=progress, dry_run=dry_run, only_new=only_new)
    return Report(
        problems=checked.problems,
        held_back=checked.held_back,
        rows=len(checked.records),
        left_out=checked.left_out,
        written=written,
    )
