"""The roster in its bucket. Every read is a direct get by key, so that an alarm is as fast with a million households.

Many documents are many direct gets sent at once, in one round trip: the server finds each by its key
alone, while a batched get walks the files between the oldest and the newest of what is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from typing import TypeVar, cast

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from dispatch.clock import Clock, now
from dispatch.errors import Conflict, NotFound, Unavailable, Unreadable
from dispatch.events import ROSTER, as_read, direct_get, is_deleted, last_of_each, latest
from dispatch.identifiers import TOKEN, AreaId, GroupId, HouseholdId, PersonId, Site
from dispatch.roster.documents import Area, Document, DocumentKind, Group, Household, Person, Post
from dispatch.roster.entries import Entry, decode, encode, key_of

log = structlog.get_logger()

STREAM = f"KV_{ROSTER}"
ANSWER_SECONDS = 2.0
GETS_AT_ONCE = 512
CHANGE_TRIES = 20
WRONG_LAST_SEQUENCE = {10071, 10164}

Id = TypeVar("Id", bound=str)
D = TypeVar("D", bound=Document)


class RosterConflict(Conflict):
    """Somebody else changed the document first: read it again and decide anew."""


class Roster:
    """Who is called: the documents of one site."""

    def __init__(self, nc: Client, site: Site | str, *, clock: Clock = now) -> None:
        self._nc, self._js, self.site = nc, nc.jetstream(timeout=ANSWER_SECONDS), Site(site)
        self._clock = clock
        self._parents: dict[AreaId, AreaId | None] = {}

    async def household(self, id: HouseholdId) -> Household | None:  # noqa: A002
        """The household, or None when there is none. Raises `Unavailable`, as every read does, without a server."""
        return (await self.households([id])).get(id)

    async def households(self, ids: Collection[HouseholdId]) -> dict[HouseholdId, Household]:
        """Those of `ids` that the roster has, read in one round trip."""
        return cast("dict[HouseholdId, Household]", await self._documents("household", ids))

    async def people(self, ids: Collection[PersonId]) -> dict[PersonId, Person]:
        """As `households`."""
        return cast("dict[PersonId, Person]", await self._documents("person", ids))

    async def groups(self, ids: Collection[GroupId]) -> dict[GroupId, Group]:
        """As `households`."""
        return cast("dict[GroupId, Group]", await self._documents("group", ids))

    async def areas(self, ids: Collection[AreaId]) -> dict[AreaId, Area]:
        """As `households`."""
        return cast("dict[AreaId, Area]", await self._documents("area", ids))

    async def posts_of(self, areas: Sequence[AreaId]) -> list[Post]:
        """Every post of `areas`, nearest area first as given, in one round trip."""
        found = await asyncio.gather(*(self._posts(f"{area}.>") for area in areas if TOKEN.fullmatch(area)))
        return [entry.document for entries in found for entry in entries]

    async def area_path(self, area: AreaId) -> tuple[Area, ...]:
        """`area` and those above it that the roster has, smallest first; a circle ends where it closes.

        One round trip when the tree is as it was last time, one for each new parent otherwise.
        """
        found: dict[AreaId, Area] = {}
        path: list[Area] = []
        step: AreaId | None = area
        while step is not None and step not in {a.id for a in path}:
            if step not in found:
                found |= await self.areas(self.likely_path(step))
            if step not in found:
                break
            path.append(found[step])
            step = self._parents[step] = found[step].parent
        return tuple(path)

    def likely_path(self, area: AreaId) -> list[AreaId]:
        """`area` and those above it as they were last seen, smallest first; at no cost."""
        guess, step = [area], self._parents.get(area)
        while step is not None and step not in guess:
            guess.append(step)
            step = self._parents.get(step)
        return guess

    async def entry(self, kind: DocumentKind, id: str) -> Entry[Document] | None:  # noqa: A002
        """The document with its revision, who wrote it and when; None when there is none."""
        return (await self.entries(kind, [id])).get(id)

    async def entries(self, kind: DocumentKind, ids: Iterable[str]) -> dict[str, Entry[Document]]:
        """As `entry` for many at once. A document that cannot be read is logged and left out."""
        wanted = [name for name in dict.fromkeys(ids) if TOKEN.fullmatch(name)]
        found: list[Entry[Document] | None] = []
        if kind == "post":
            found = [await self._post(name) for name in wanted]
        else:
            for start in range(0, len(wanted), GETS_AT_ONCE):
                found += await self._entries(kind, wanted[start : start + GETS_AT_ONCE])
        return {entry.document.id: entry for entry in found if entry is not None}

    async def posts_named(self, ids: Iterable[str]) -> list[Entry[Post]]:
        """Posts by id, whatever their area; one that was moved and not yet removed comes twice."""
        found = await asyncio.gather(*(self._posts(f"*.{name}") for name in ids if TOKEN.fullmatch(name)))
        return [entry for entries in found for entry in entries]

    async def all(self, kind: DocumentKind) -> AsyncIterator[Document]:
        """Every document of `kind`, in no order. Reads the whole bucket: not for an alarm."""
        async for _, message in latest(self._nc, ROSTER, f"{self.site}.{kind}.>"):
            entry = self._read(kind, message.data, message.metadata.sequence.stream)
            if entry is not None:
                yield entry.document

    async def as_read(self, kind: DocumentKind) -> AsyncGenerator[Document]:
        """As `all`, but each as soon as it is read; one that is changed meanwhile may come twice. Close it."""
        async with aclosing(as_read(self._nc, ROSTER, f"{self.site}.{kind}.>")) as messages:
            async for _, message in messages:
                entry = self._read(kind, message.data, message.metadata.sequence.stream)
                if entry is not None:
                    yield entry.document

    async def is_empty(self) -> bool:
        """Whether nothing was ever written to the roster of this site."""
        return await self._last(f"$KV.{ROSTER}.{self.site}.>", direct=False) is None

    async def put(self, document: Document, *, by: str, expected_revision: int | None = None) -> int:
        """Store `document` durably, written by `by`, and return its revision.

        `expected_revision` is what it replaces: 0 for nothing, None for whatever is there.
        Raises `RosterConflict` when something else is there, `Malformed` or `Oversized` when it
        cannot be kept, `Unavailable` when no acknowledgement came (it may have been stored).
        """
        value = encode(document, by, self._clock())
        subject = self._subject(key_of(document))
        try:
            return await self._publish(subject, value, expected_revision)
        except RosterConflict:
            deleted = await self._deleted(subject) if expected_revision == 0 else None
            if deleted is None:
                raise
            return await self._publish(subject, value, deleted)

    async def delete(self, entry: Entry[Document]) -> None:
        """Remove the document if it still is `entry`. Raises as `put` does."""
        await self._publish(self._subject(key_of(entry.document)), b"", entry.revision, {"KV-Operation": "DEL"})

    async def update_person(self, id: PersonId, change: Callable[[Person], Person], by: str) -> Person:  # noqa: A002
        """The person after `change`, which may run again when somebody else was faster.

        Raises `NotFound` when there is no such person, else as `put` does.
        """
        return await self._update("person", id, change, by)

    async def update_household(
        self,
        id: HouseholdId,  # noqa: A002
        change: Callable[[Household], Household],
        by: str,
    ) -> Household:
        """As `update_person`."""
        return await self._update("household", id, change, by)

    async def _update(self, kind: DocumentKind, id: str, change: Callable[[D], D], by: str) -> D:  # noqa: A002
        for _ in range(CHANGE_TRIES):
            entry = await self.entry(kind, id)
            if entry is None:
                raise NotFound(f"{kind} {id[:80]!r} is not in the roster", field=kind)
            old = cast("D", entry.document)
            new = change(old)
            if new == old:
                return old
            try:
                await self.put(new, by=by, expected_revision=entry.revision)
            except RosterConflict:
                continue
            return new
        raise Unavailable(f"{kind} {id!r} is being changed by many at once; try again")

    async def _documents(self, kind: DocumentKind, ids: Iterable[str]) -> dict[str, Document]:
        return {name: entry.document for name, entry in (await self.entries(kind, ids)).items()}

    async def _post(self, name: str) -> Entry[Document] | None:
        """A post by its id alone; its key begins with its area."""
        return max(await self._posts(f"*.{name}"), key=lambda entry: entry.revision, default=None)

    async def _entries(self, kind: DocumentKind, names: Sequence[str]) -> list[Entry[Document] | None]:
        subjects = [self._subject(f"{kind}.{name}") for name in names]
        return self._read_all(kind, await last_of_each(self._nc, STREAM, subjects))

    async def _posts(self, pattern: str) -> list[Entry[Post]]:
        messages = await direct_get(self._nc, STREAM, {"multi_last": [self._subject(f"post.{pattern}")]})
        return cast("list[Entry[Post]]", [entry for entry in self._read_all("post", messages) if entry is not None])

    def _read_all(self, kind: DocumentKind, messages: Iterable[Msg]) -> list[Entry[Document] | None]:
        return [
            self._read(kind, message.data, int((message.headers or {})["Nats-Sequence"]))
            for message in messages
            if not is_deleted(message.headers)
        ]

    def _read(self, kind: DocumentKind, value: bytes, revision: int) -> Entry[Document] | None:
        try:
            return decode(kind, value, revision)
        except Unreadable as error:
            log.error("roster.unreadable", site=self.site, revision=revision, reason=error.detail)
            return None

    async def _last(self, subject: str, *, direct: bool = True) -> RawStreamMsg | None:
        try:
            return await self._js.get_msg(STREAM, subject=subject, direct=direct)
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as error:
            raise Unavailable(f"the roster does not answer: {error!r}") from error

    async def _deleted(self, subject: str) -> int | None:
        message = await self._last(subject, direct=False)
        return message.seq if message is not None and is_deleted(message.headers) else None

    async def _publish(
        self, subject: str, value: bytes, expected: int | None, headers: dict[str, str] | None = None
    ) -> int:
        headers = dict(headers or {})
        if expected is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
        try:
            return (await self._js.publish(subject, value, headers=headers)).seq
        except APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                raise RosterConflict(f"{subject} was changed by somebody else; read it again", field="id") from None
            raise Unavailable(f"the roster refused {subject}: {error.description}") from error
        except (NatsError, TimeoutError) as error:
            raise Unavailable(f"the roster did not acknowledge {subject}: {error!r}; send it again") from error

    def _subject(self, key: str) -> str:
        return f"$KV.{ROSTER}.{self.site}.{key}"
