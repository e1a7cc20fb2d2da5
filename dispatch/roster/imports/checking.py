"""All rows of all files, checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from dispatch.roster.imports.checks import Known, circles, dangling, known_to, lost, shared_phones, twice, without
from dispatch.roster.imports.columns import Layout, recognise
from dispatch.roster.imports.files import Sheet, read_file
from dispatch.roster.imports.problems import BadFileError, Problem
from dispatch.roster.imports.records import Record, Shift, read_record
from dispatch.roster.store import Roster

Progress = Callable[[str, int, int], None]
"""Is told the stage (`reading`, `checking`, `comparing`, `writing`), how much of it is done, and of how much."""

_TOLD_EVERY = 500


class Checked(msgspec.Struct, frozen=True):
    """`records` are good, and so is what they refer to; `held_back` rows wait for those in `problems`."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    held_back: tuple[Problem, ...]
    left_out: int = 0
    """How many rows of sheets that could be read are not among `records`."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


async def check_files(roster: Roster, paths: Iterable[Path], progress: Progress = silent) -> Checked:
    """Read and check every row of `paths`. Raises `Unavailable` when the roster cannot be asked."""
    sheets, problems = _read(list(paths), progress)
    records: list[Record] = []
    rejected: set[tuple[str, str]] = set()
    total, done = sum(len(sheet.rows) for _, sheet in sheets), 0
    for layout, sheet in sheets:
        for row in sheet.rows:
            record, wrong = read_record(layout, row)
            if record is not None:
                records.append(record)
            if wrong:
                problems += wrong
                rejected.add(_name(layout, row.cells))
            done += 1
            if done % _TOLD_EVERY == 0 or done == total:
                progress("checking", done, total)
    checked = _together(records, problems, rejected, await known_to(roster, records))
    return msgspec.structs.replace(checked, left_out=total - len(checked.records))


def _read(paths: Sequence[Path], progress: Progress) -> tuple[list[tuple[Layout, Sheet]], list[Problem]]:
    sheets: list[tuple[Layout, Sheet]] = []
    problems: list[Problem] = []
    for done, path in enumerate(paths, start=1):
        try:
            for sheet in read_file(path):
                layout = recognise(sheet)
                if isinstance(layout, Layout):
                    sheets.append((layout, sheet))
                else:
                    problems += layout
        except BadFileError as error:
            problems.append(error.problem)
        progress("reading", done, len(paths))
    return sheets, problems


def _name(layout: Layout, cells: Sequence[str]) -> tuple[str, str]:
    place, _ = layout.columns["post" if layout.kind == "duty" else "id"]
    return layout.kind, cells[place] if place < len(cells) else ""


def _together(records: list[Record], problems: list[Problem], rejected: set[tuple[str, str]], known: Known) -> Checked:
    """What is left when wrong rows and those that clash are taken out, then those that refer to them, to the end.

    Rows that are out already are looked at, too: somebody who corrects a row wants to know all that is wrong with it.
    """
    doubles = twice(records)
    firsts = without(records, doubles)
    out = [*doubles, *circles(firsts, known), *shared_phones(firsts, known)]
    wrong = [*out, *lost([*(record for record, _ in out), *(r for r in records if not r.is_readable)], records, known)]
    problems = [*problems, *(problem for _, problem in wrong)]
    held_back: list[Problem] = []
    good = [record for record in records if record.is_readable]
    while True:
        rejected |= {(record.kind, record.id) for record, _ in out}
        good = [record for record in without(good, out) if not _half_of_a_duty(record, rejected)]
        leading_nowhere = dangling(good, rejected, known)
        if not leading_nowhere:
            return Checked(tuple(good), _in_order(problems), _in_order(held_back))
        problems += [problem for _, problem, waits in leading_nowhere if not waits]
        held_back += [problem for _, problem, waits in leading_nowhere if waits]
        out = [(record, problem) for record, problem, _ in leading_nowhere]


def _half_of_a_duty(record: Record, rejected: set[tuple[str, str]]) -> bool:
    """The shifts of a post replace what it had, so all of them go in, or none."""
    return isinstance(record.content, Shift) and ("duty", record.id) in rejected


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.place, problem.column)))
