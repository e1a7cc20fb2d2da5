"""Writing checked rows: only what differs, each document by compare-and-set, what others refer to first.

A crash leaves a roster in which every reference leads somewhere, and running the import again completes it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, assert_never

import msgspec

from dispatch.errors import Conflict
from dispatch.roster.documents import (
    Area,
    ContactPoint,
    Document,
    DocumentKind,
    Duty,
    Group,
    Household,
    Person,
    Post,
)
from dispatch.roster.entries import Entry, key_of
from dispatch.roster.imports.checking import Progress
from dispatch.roster.imports.records import Record, Shift
from dispatch.roster.store import GETS_AT_ONCE, Roster, RosterConflict

ORDER: tuple[DocumentKind, ...] = ("area", "person", "group", "post", "household")
"""Who is referred to is written before who refers to them."""

PUTS_AT_ONCE = 256
_TRIES = 10

Old = Entry[Document] | None
Merge = Callable[[Document | None], Document]
"""What a document becomes, given what it is in the roster now."""

T = TypeVar("T")


class Written(msgspec.Struct, frozen=True):
    """How many documents were new, changed, or already as the files say."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0


class Step(msgspec.Struct, frozen=True):
    """One document to be written."""

    kind: DocumentKind
    id: str
    merge: Merge


def steps(records: Sequence[Record]) -> list[Step]:
    """What `records` make of the roster, in the order of writing."""
    shifts: dict[str, list[Duty]] = defaultdict(list)
    for record in records:
        if isinstance(record.content, Shift):
            shifts[record.content.post].append(record.content.duty)
    found = [_step(r.content, shifts.pop(r.id, None) if r.kind == "post" else None) for r in _documents(records)]
    found += [Step("post", post, _with_duty(duty)) for post, duty in shifts.items()]
    return sorted(found, key=lambda step: ORDER.index(step.kind))


def _documents(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.kind != "duty"]


def _step(document: Document | Shift, duty: list[Duty] | None) -> Step:
    match document:
        case Person():
            return Step("person", document.id, lambda old: keep_registered(document, old))
        case Area():
            return Step("area", document.id, lambda old: _keep_policies(document, old))
        case Group():
            return Step("group", document.id, lambda old: _keep_neighbours(document, old))
        case Post():
            return Step("post", document.id, lambda old: _keep_duty(document, duty, old))
        case Shift():
            raise TypeError("a shift is part of its post's document")
        case Household():
            return Step("household", document.id, lambda old: _keep_confidence(document, old))
        case _:
            assert_never(document)


def _keep_confidence(new: Household, old: Document | None) -> Household:
    """`new` with PINs and those who are left out, which no sheet has, and with its residents unless it names any."""
    if not isinstance(old, Household):
        return new
    return msgspec.structs.replace(
        new,
        pin=old.pin,
        duress_pin=old.duress_pin,
        left_out=old.left_out,
        residents=new.residents or old.residents,
    )


def _keep_policies(new: Area, old: Document | None) -> Area:
    """`new` with the escalation policies, which no sheet has, and with its neighbours unless the file names some."""
    if not isinstance(old, Area):
        return new
    return msgspec.structs.replace(new, policies=old.policies, neighbours=new.neighbours or old.neighbours)


def _keep_neighbours(new: Group, old: Document | None) -> Group:
    known = old.neighbours if isinstance(old, Group) else ()
    return msgspec.structs.replace(new, neighbours=new.neighbours or known)


def keep_registered(new: Person, old: Document | None) -> Person:
    """`new` with the contact points that phones registered themselves.

    The points of a kind in the file stand for all of the person's points of that kind, in the order of the file, after
    those that are kept; a file without any leaves theirs.
    """
    if not isinstance(old, Person):
        return new
    points = old.contact_points
    for kind in dict.fromkeys(type(point) for point in new.contact_points):
        named = tuple(point for point in new.contact_points if isinstance(point, kind))
        if [_unretired(point) for point in points if isinstance(point, kind)] != list(named):
            points = (*(point for point in points if not isinstance(point, kind)), *named)
    return msgspec.structs.replace(new, contact_points=points)


def _unretired(point: ContactPoint) -> ContactPoint:
    return msgspec.structs.replace(point, retired=None)


def _keep_duty(new: Post, duty: list[Duty] | None, old: Document | None) -> Post:
    if duty is not None:
        return msgspec.structs.replace(new, duty=tuple(duty))
    return msgspec.structs.replace(new, duty=old.duty) if isinstance(old, Post) else new


def _with_duty(duty: list[Duty]) -> Merge:
    def merge(old: Document | None) -> Document:
        if not isinstance(old, Post):
            raise Conflict("a post of the duty sheet was removed from the roster meanwhile; run the import again")
        return msgspec.structs.replace(old, duty=tuple(duty))

    return merge


async def write(
    roster: Roster,
    records: Sequence[Record],
    *,
    by: str,
    progress: Progress,
    dry_run: bool = False,
    only_new: bool = False,
) -> Written:
    """Write what differs from the roster and say how much that was (would be, with `dry_run`).

    `only_new` leaves alone what is there. Raises `Unavailable` when the roster does not answer;
    what was written until then stays, and the next run does the rest.
    """
    planned = steps(records)
    counts: dict[str, int] = defaultdict(int)
    progress("writing", 0, len(planned))
    for done, chunk in _chunks(planned, GETS_AT_ONCE):
        for kind in dict.fromkeys(step.kind for step in chunk):
            together = [step for step in chunk if step.kind == kind]
            if kind == "post" and not dry_run:
                await _remove_moved(roster, [step.id for step in together])
            old = await roster.entries(kind, [step.id for step in together])
            for state in await _write_chunk(roster, together, old, by=by, dry_run=dry_run, only_new=only_new):
                counts[state] += 1
        progress("writing", done, len(planned))
    return Written(**counts)


async def _write_chunk(
    roster: Roster, chunk: Sequence[Step], old: dict[str, Entry[Document]], *, by: str, dry_run: bool, only_new: bool
) -> list[str]:
    differing: list[Step] = []
    states: list[str] = []
    for step in chunk:
        entry = old.get(step.id)
        if entry is not None and (only_new or step.merge(entry.document) == entry.document):
            states.append("unchanged")
        else:
            differing.append(step)
            states.append("created" if entry is None else "changed")
    if dry_run:
        return states
    for _, some in _chunks(differing, PUTS_AT_ONCE):
        await asyncio.gather(*(_put(roster, step, old.get(step.id), by) for step in some))
    await _remove_moved(roster, [step.id for step in differing if step.kind == "post"])
    return states


async def _put(roster: Roster, step: Step, old: Old, by: str) -> None:
    for _ in range(_TRIES):
        new = step.merge(old.document if old else None)
        if old is not None and new == old.document:
            return
        try:
            await roster.put(new, by=by, expected_revision=_replaced(old, new))
        except RosterConflict:
            old = await roster.entry(step.kind, step.id)
        else:
            return
    raise RosterConflict(f"{step.kind} {step.id} is being changed by somebody else all the time; run the import again")


def _replaced(old: Old, new: Document) -> int:
    """The revision under the key of `new`: none when it is new there, as a post is that moved to another area."""
    return old.revision if old is not None and key_of(old.document) == key_of(new) else 0


async def _remove_moved(roster: Roster, posts: Sequence[str]) -> None:
    """Of a post that stands in several areas, leave the newest alone."""
    by_id: dict[str, list[Entry[Post]]] = defaultdict(list)
    for entry in await roster.posts_named(posts):
        by_id[entry.document.id].append(entry)
    for entries in by_id.values():
        for entry in sorted(entries, key=lambda one: one.revision)[:-1]:
            await roster.delete(entry)


def _chunks(items: Sequence[T], size: int) -> Iterable[tuple[int, Sequence[T]]]:
    for start in range(0, len(items), size):
        chunk = items[start : start + size]
        yield start + len(chunk), chunk
