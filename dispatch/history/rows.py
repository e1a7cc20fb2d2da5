"""Rows of an older system's file as past calls, each checked; what is wrong is said by line and column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import get_args

import msgspec

from dispatch.events import Kind
from dispatch.history.past_calls import PastCall, PastResponse
from dispatch.identifiers import TOKEN, AreaId, PersonId
from dispatch.roster.imports.files import Row, Sheet, read_file
from dispatch.roster.imports.problems import BadFileError, Place, Problem

MOMENTS = ("called_at", "en_route_at", "on_scene_at", "cleared_at")
COLUMNS = ("call_id", "kind", "area", "raised_at", "responder_id", *MOMENTS)
"""The columns of a file, in any order; others are passed over."""
LONGEST_CALL_ID = 64
EARLIEST = 1970
MOST_RESPONDERS = 500
"""On one call, which is one message."""
FUTURE = timedelta(minutes=5)
"""By how much a clock may be wrong; what is later has not happened."""

_CLOCK = re.compile(r"\d:\d\d|T\d{4}")
Progress = Callable[[str, int, int], None]


class Read(msgspec.Struct, frozen=True):
    """The calls of a file with the first line of each; `unused` are columns that were passed over.

    `backwards` has one for each row that is good and in which a later step is before an earlier one.
    """

    calls: tuple[tuple[Place, PastCall], ...]
    problems: tuple[Problem, ...]
    unused: tuple[str, ...] = ()
    rows: int = 0
    backwards: tuple[Problem, ...] = ()


def read_calls(path: Path, zone: tzinfo | None, now: datetime, progress: Progress) -> Read:
    """Every call of the file at `path`; times without an offset are in `zone`, and without that a problem.

    A call with a row that is wrong is left out as a whole. `progress` is told `reading`, how many rows, of how many.
    """
    try:
        sheets = read_file(path)
    except BadFileError as error:
        return Read((), (error.problem,))
    table = _Table(zone, now)
    unused: dict[str, None] = {}
    total, done = sum(len(sheet.rows) for sheet in sheets), 0
    for sheet in sheets:
        if (places := table.header(sheet)) is None:
            continue
        unused |= dict.fromkeys(name for name in sheet.header.cells if name and name.lower() not in COLUMNS)
        for row in sheet.rows:
            table.take(row, places)
            done += 1
            if done % 500 == 0 or done == total:
                progress("reading", done, total)
    problems = tuple(sorted((*table.problems, *table.without_zone()), key=_by_place))
    return Read(tuple(table.calls()), problems, tuple(unused), done, tuple(table.backwards))


class _Table:
    """The rows taken so far, by call."""

    def __init__(self, zone: tzinfo | None, now: datetime) -> None:
        self._zone, self._latest = zone, now + FUTURE
        self.problems: list[Problem] = []
        self.backwards: list[Problem] = []
        self._calls: dict[str, tuple[Place, PastCall]] = {}
        self._responses: dict[str, dict[PersonId, tuple[Place, PastResponse]]] = {}
        self._wrong: set[str] = set()
        self._zoneless: dict[str, tuple[Problem, int]] = {}

    def header(self, sheet: Sheet) -> dict[str, int] | None:
        """Where each column stands; None when one is missing, which is said."""
        names = [name.strip().lower() for name in sheet.header.cells]
        places = {name: index for index, name in enumerate(names)}
        if doubled := [name for name in COLUMNS if names.count(name) > 1]:
            self._problem(
                sheet.header, "", 0, f"has {', '.join(doubled)} more than once", "remove the one that is wrong"
            )
            return None
        missing = [name for name in COLUMNS if name not in places]
        if missing:
            advice = f"the first line must name {', '.join(COLUMNS)}; a column may be empty"
            self._problem(sheet.header, "", 0, f"has no column {', '.join(missing)}", advice)
            return None
        return {name: places[name] for name in COLUMNS}

    def take(self, row: Row, places: dict[str, int]) -> None:
        """Take a row in, or say what is wrong with it."""
        cells = _Cells(row, places, self._zone, self._latest)
        call = cells.text("call_id", required=True, longest=LONGEST_CALL_ID)
        head = PastCall(
            call=call,
            kind=cells.kind(),
            area=AreaId(cells.id("area")),
            raised_at=cells.moment("raised_at") or self._latest,
        )
        if not cells.text("raised_at"):
            cells.wrong("raised_at", "is empty", "write when the call came in")
        times = {name: cells.moment(name) for name in MOMENTS}
        responder = PersonId(cells.id("responder_id", required=any(times.values())))
        if cells.zoneless is not None:
            first, rows = self._zoneless.get(row.place.file, (cells.zoneless, 0))
            self._zoneless[row.place.file] = first, rows + 1
            self._wrong.add(call)
        elif not cells.problems:
            self._together(cells, head, PastResponse(responder=responder, **times) if responder else None)
        if cells.problems:
            self.problems += cells.problems
            self._wrong.add(call)
        elif (
            cells.zoneless is None
            and (backwards := cells.backwards({"raised_at": head.raised_at, **times})) is not None
        ):
            self.backwards.append(backwards)

    def _together(self, cells: _Cells, head: PastCall, response: PastResponse | None) -> None:
        place, known = self._calls.setdefault(head.call, (cells.place, head))
        for column in ("kind", "area", "raised_at"):
            if getattr(known, column) != getattr(head, column):
                cells.wrong(
                    column, f"differs from line {place.line} of the same call", "give all rows of a call the same"
                )
        if response is None:
            return
        on_it = self._responses.setdefault(head.call, {})
        there = on_it.setdefault(response.responder, (cells.place, response))
        if len(on_it) > MOST_RESPONDERS:
            cells.wrong("responder_id", f"is one of more than {MOST_RESPONDERS} on this call", "split the call")
        if there[1] != response:  # the same row twice says nothing new
            cells.wrong(
                "responder_id", f"has other times in line {there[0].line}", "keep one row per responder and call"
            )

    def without_zone(self) -> Iterator[Problem]:
        """One for each file with times that do not say their zone, at the first of them."""
        for first, rows in self._zoneless.values():
            yield msgspec.structs.replace(
                first, wrong=f"{first.wrong}, as in {rows:,} row{'s'[: rows != 1]} of this file"
            )

    def calls(self) -> Iterator[tuple[Place, PastCall]]:
        for name, (place, head) in self._calls.items():
            if name not in self._wrong:
                responses = tuple(response for _, response in self._responses.get(name, {}).values())
                yield place, msgspec.structs.replace(head, responses=responses)

    def _problem(self, row: Row, value: str, column: int, wrong: str, advice: str) -> None:
        self.problems.append(Problem(place=row.place, column=column, value=value, wrong=wrong, advice=advice))


class _Cells:
    """The cells of a row by column; `problems` grows as they are read; `zoneless` is the first time without a zone."""

    def __init__(self, row: Row, places: dict[str, int], zone: tzinfo | None, latest: datetime) -> None:
        self._row, self._places, self._zone, self._latest = row, places, zone, latest
        self.problems: list[Problem] = []
        self.zoneless: Problem | None = None

    @property
    def place(self) -> Place:
        return self._row.place

    def wrong(self, column: str, wrong: str, advice: str) -> None:
        self.problems.append(self._said(column, wrong, advice))

    def backwards(self, times: Mapping[str, datetime | None]) -> Problem | None:
        """The first of `times`, which are in the order of their steps, that is before an earlier step."""
        latest: tuple[str, datetime] | None = None
        for column, at in times.items():
            if at is None:
                continue
            if latest is not None and at < latest[1]:
                return self._said(column, f"is before {latest[0]}, {self._value(latest[0])}", "see which is wrong")
            latest = column, at
        return None

    def _said(self, column: str, wrong: str, advice: str) -> Problem:
        where, value = self._places[column] + 1, self._value(column)
        return Problem(place=self.place, column=where, header=column, value=value, wrong=wrong, advice=advice)

    def text(self, column: str, *, required: bool = False, longest: int = 200) -> str:
        value = self._value(column)
        if required and not value:
            self.wrong(column, "is empty", "write it, or leave the row out")
        if len(value) > longest or not value.isprintable():
            self.wrong(column, f"is no text of at most {longest} printable characters", "correct it")
        return value

    def id(self, column: str, *, required: bool = True) -> str:
        value = self._value(column)
        if not value and required:
            self.wrong(column, "is empty", "write the id")
        elif value and not TOKEN.fullmatch(value):
            self.wrong(
                column, "is not an id", "use 1 to 64 letters, digits, '-' or '_', beginning with a letter or digit"
            )
        return value

    def kind(self) -> Kind:
        kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
        value = self._value("kind").lower()
        if value not in kinds:
            self.wrong("kind", "is no kind of case", f"write one of {', '.join(kinds)}")
        return kinds.get(value, "help")

    def moment(self, column: str) -> datetime | None:
        """The time in UTC; None when the cell is empty or wrong, which is said."""
        value = self._value(column)
        if not value:
            return None
        try:
            at = datetime.fromisoformat(value.replace("/", "-")) if _CLOCK.search(value) else None
        except ValueError:
            at = None
        if at is None:
            self.wrong(column, "is not a time", "write day and time of day, like 2026-11-21T08:00:00+08:00")
            return None
        if at.tzinfo is None and self._zone is None:
            advice = "add it, like +08:00, or give --timezone Asia/Shanghai"
            self.zoneless = self.zoneless or self._said(column, "does not say its zone", advice)
            return None
        return self._in_utc(column, at if at.tzinfo else at.replace(tzinfo=self._zone))

    def _in_utc(self, column: str, at: datetime) -> datetime | None:
        try:
            utc = at.astimezone(UTC)
        except OverflowError:
            self.wrong(column, "is not a time", "correct the year")
            return None
        if utc.astimezone(at.tzinfo).replace(tzinfo=None) != at.replace(tzinfo=None):
            self.wrong(column, "never was: clocks were put forward over it", "correct it, or write its offset")
        elif at.tzinfo is self._zone and at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset():
            self.wrong(column, "was twice: clocks were put back over it", "write its offset")
        elif utc.year < EARLIEST:
            self.wrong(column, "is too long ago", f"only what was in {EARLIEST} and later can be imported")
        elif utc > self._latest:
            self.wrong(column, "is in the future", "only what is over can be imported")
        return utc

    def _value(self, column: str) -> str:
        index = self._places[column]
        return self._row.cells[index] if index < len(self._row.cells) else ""


def _by_place(problem: Problem) -> tuple[Place, int]:
    return problem.place, problem.column


def places_of(calls: Iterable[tuple[Place, PastCall]]) -> dict[AreaId, Place]:
    """Where each area is named first."""
    found: dict[AreaId, Place] = {}
    for place, call in calls:
        found.setdefault(call.area, place)
    return found


__all__: Sequence[str] = ("COLUMNS", "Progress", "Read", "places_of", "read_calls")
