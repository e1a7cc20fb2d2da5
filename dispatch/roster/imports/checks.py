"""What must hold between rows, and between them and the roster: ids once, all references good, no circles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import cast

from dispatch.identifiers import TOKEN
from dispatch.roster.documents import Area, DocumentKind, Group, Household, Person, Post
from dispatch.roster.imports.columns import SheetKind
from dispatch.roster.imports.problems import Problem
from dispatch.roster.imports.records import Record, Shift
from dispatch.roster.store import Roster

Reference = tuple[DocumentKind, str, str]
"""What is referred to, its id, and the column that does."""

_ONE_ROW_EACH: tuple[SheetKind, ...] = ("area", "person", "group", "post", "household")


def references(record: Record) -> Iterable[Reference]:
    """Everything that a row refers to."""
    match record.content:
        case Area() as area:
            yield from _maybe("area", area.parent, "parent")
            yield from (("area", neighbour, "neighbours") for neighbour in area.neighbours)
        case Group() as group:
            yield "area", group.area, "area"
            yield from _maybe("person", group.leader, "leader")
            yield from (("person", member, "members") for member in group.members if member != group.leader)
            yield from (("group", neighbour, "neighbours") for neighbour in group.neighbours)
        case Household() as home:
            yield "area", home.area, "area"
            yield from _maybe("group", home.group, "group")
            yield from (("person", resident, "residents") for resident in home.residents)
        case Post() as post:
            yield "area", post.area, "area"
        case Shift() as shift:
            yield "post", shift.post, "post"
            yield "person", shift.duty.person, "person"
        case Person():
            return


def _maybe(kind: DocumentKind, target: str | None, column: str) -> Iterable[Reference]:
    if target is not None:
        yield kind, target, column


def twice(records: Sequence[Record]) -> list[tuple[Record, Problem]]:
    """Rows whose id an earlier row has, and shifts that stand twice."""
    first: dict[object, Record] = {}
    found = []
    for record in records:
        if not record.id:
            continue
        key = (record.kind, record.id) if record.kind in _ONE_ROW_EACH else (record.kind, record.content)
        earlier = first.setdefault(key, record)
        if earlier is not record:
            place = earlier.cells.place
            column = "id" if record.kind in _ONE_ROW_EACH else "post"
            wrong = f"stands already at {place.file}:{place.line}"
            found.append((record, record.cells.problem(column, wrong, "remove one of them, or give it another id")))
    return found


def without(records: Sequence[Record], out: Sequence[tuple[Record, Problem]]) -> list[Record]:
    """`records` but for those that have a problem in `out`."""
    dropped = {id(record) for record, _ in out}
    return [record for record in records if id(record) not in dropped]


class Known:
    """What rows may refer to: each other, and what the roster has."""

    def __init__(self, people: Mapping[str, Person], areas: Mapping[str, Area], others: set[tuple[str, str]]) -> None:
        self.people, self.areas = people, areas
        self._others = others

    def has(self, kind: DocumentKind, target: str) -> bool:
        """Whether the roster has it."""
        if kind == "person":
            return target in self.people
        return target in self.areas if kind == "area" else (kind, target) in self._others


async def known_to(roster: Roster, records: Sequence[Record]) -> Known:
    """What the roster has of that which `records` refer to, people aside that they bring, and all of its areas.

    A person's row refers to nothing, so that it cannot fall out later; there are too many to read them in vain.
    """
    brought = {record.id for record in records if record.kind == "person" and record.is_readable}
    wanted: dict[DocumentKind, set[str]] = defaultdict(set)
    for record in records:
        for kind, target, _ in references(record):
            if kind != "person" or target not in brought:
                wanted[kind].add(target)
    others = {(kind, target) for kind in ("group", "post") for target in await roster.entries(kind, wanted[kind])}
    people = {name: entry.document for name, entry in (await roster.entries("person", wanted["person"])).items()}
    areas = {area.id: area async for area in cast("AsyncIterator[Area]", roster.all("area"))}
    return Known(cast("dict[str, Person]", people), cast("dict[str, Area]", areas), others)


def dangling(
    records: Sequence[Record], rejected: set[tuple[str, str]], known: Known
) -> list[tuple[Record, Problem, bool]]:
    """References that lead nowhere; the last says whether to a row that is itself in error."""
    present = {(record.kind, record.id) for record in records if record.kind != "duty"}
    found = []
    for record in records:
        for kind, target, column in references(record):
            if (kind, target) in present or known.has(kind, target):
                continue
            if waits := (kind, target) in rejected:
                wrong = f"refers to {kind} {target!r}, whose own row is in error"
                problem = record.cells.problem(column, wrong, "correct that row", value=target)
            else:
                problem = _nowhere(record, kind, target, column)
            found.append((record, problem, waits))
    return found


def lost(out: Iterable[Record], records: Sequence[Record], known: Known) -> list[tuple[Record, Problem]]:
    """References, by rows that are `out`, to what no row brings, be it right or wrong, and the roster has not."""
    present = {(record.kind, record.id) for record in records if record.kind != "duty"}
    return [
        (record, _nowhere(record, kind, target, column))
        for record in {id(record): record for record in out}.values()
        for kind, target, column in references(record)
        if TOKEN.fullmatch(target) and (kind, target) not in present and not known.has(kind, target)
    ]


def _nowhere(record: Record, kind: DocumentKind, target: str, column: str) -> Problem:
    wrong = f"refers to {kind} {target!r}, which is neither in these files nor in the roster"
    return record.cells.problem(column, wrong, "correct the id, or add a row for it", value=target)


def circles(records: Sequence[Record], known: Known) -> list[tuple[Record, Problem]]:
    """Areas that lie, by way of their parents, in themselves."""
    areas = dict(known.areas) | {record.id: record.content for record in records if isinstance(record.content, Area)}
    found = []
    for record in records:
        if isinstance(record.content, Area) and (path := _circle(record.content, areas)):
            wrong = f"lies in itself: {' → '.join(path)}"
            found.append((record, record.cells.problem("parent", wrong, "correct the parent of one of them")))
    return found


def _circle(area: Area, areas: Mapping[str, Area]) -> list[str]:
    path = [str(area.id)]
    step = area.parent
    while step is not None and step in areas:
        path.append(step)
        if step == area.id:
            return path
        if step in path[:-1]:
            return []
        step = areas[step].parent
    return []


def shared_phones(records: Sequence[Record], known: Known) -> list[tuple[Record, Problem]]:
    """Groups that bind the same number twice, by two people."""
    people = dict(known.people) | {r.id: r.content for r in records if isinstance(r.content, Person)}
    found = []
    for record in records:
        if not isinstance(record.content, Group):
            continue
        holders: dict[str, str] = {}
        for member in record.content.members:
            person = people.get(member)
            if person is None or person.phone is None:
                continue
            other = holders.setdefault(person.phone, member)
            if other != member:
                wrong = f"binds the number {person.phone} twice: {other} and {member}"
                advice = "correct the number of one, or remove one"
                found.append((record, record.cells.problem("members", wrong, advice)))
    return found
