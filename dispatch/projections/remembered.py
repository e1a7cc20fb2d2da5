"""Answers about periods that are over, kept until a case of their months changes.

The database notes every change of a row of a case older than an hour, for each month and site, in the transaction of
the change (`changed_months` in `migrations/`), and that is part of the state of a month (`remembered.sql`). It is read
before counting, and never comes back: so an answer is true for as long as the state is the one before it, and one that
was overtaken by a change is never given again. A rebuild, a restart of Postgres, another database and an emptied table
each make another state.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from dispatch.clock import now
from dispatch.projections.counting import Counting
from dispatch.projections.reader import Reader, Row
from dispatch.projections.sql import load

SETTLED = timedelta(hours=6)
"""How long a period must be over: the hour, and what transactions and a clock that is set back may take."""
MOST_BYTES = 32 * 1024 * 1024
"""Of all that is kept. A file of 5,000 rows takes about 1.5 MB, the page of a month 0.1 MB."""
ENTRY_BYTES, PART_BYTES = 700, 200
"""What an answer, which may be empty, takes in memory besides, and each part of its state: measured, CPython 3.11."""


class StateQueries(msgspec.Struct, frozen=True, kw_only=True):
    state: str


queries = load(Path(__file__).with_suffix(".sql"), StateQueries)
State: TypeAlias = tuple[Hashable, ...] | None
"""Of the months of a period; None while it is not over, or where nobody would note a change."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What `asked` says, over the cases accepted in [since, until), as of `as_of`; `count` has it counted.

    `decided` is whether an answer is the same as of every later moment.
    """

    asked: Hashable
    since: datetime
    until: datetime
    count: Callable[[], Awaitable[Any]]
    as_of: datetime | None = None
    decided: Callable[[Any], bool] = lambda _answer: True


class _Kept(msgspec.Struct, frozen=True):
    state: tuple[Hashable, ...]
    as_of: datetime | None
    answer: bytes

    @property
    def size(self) -> int:
        return len(self.answer) + ENTRY_BYTES + PART_BYTES * len(self.state)


class Remembered:
    """Answers by what was asked, as bytes: so nobody changes them, and their size is known."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.forget()

    def forget(self) -> None:
        """Count everything anew when it is asked for next."""
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._bytes = 0
        self._counting = Counting()

    async def answer(self, question: Question) -> Any:
        """The answer to one question, as `answers` has it."""
        return (await self.answers([question]))[0]

    async def answers(self, questions: Sequence[Question]) -> list[Any]:
        """The answers, remembered or counted side by side, each once for all who ask meanwhile. What msgpack has no
        word for comes back as what it has: a tuple as a list. Raises as `Reader.fetch` does.
        """
        states = await self._states(questions)
        found = [self._known(question, state) for question, state in zip(questions, states, strict=True)]
        unknown = [place for place, kept in enumerate(found) if kept is None]
        counts = await asyncio.gather(*(self._count(questions[n], states[n]) for n in unknown))
        counted = dict(zip(unknown, counts, strict=True))
        return [counted[n] if kept is None else msgspec.msgpack.decode(kept) for n, kept in enumerate(found)]

    async def _states(self, questions: Sequence[Question]) -> list[State]:
        if all(question.until > now() for question in questions):
            return [None] * len(questions)
        names = [_months_of(question) for question in questions]
        first, last = min(first for first, _ in names), max(last for _, last in names)
        months = await self._reader.fetch(queries.state, first, last)
        return [_state_of(question, months) for question in questions]

    async def _count(self, question: Question, state: State) -> Any:
        """A count for one state is true for whoever saw that state after it began; without a state nothing says so."""

        async def count() -> tuple[Question, Any]:
            answer = await question.count()
            self._keep(question, state, answer)
            return question, answer

        what = object() if state is None else (_key(question), state)
        counted, answer = await self._counting.of(what, count)
        if counted is question:
            return answer
        kept = self._known(question, state)
        if kept is None:  # of another moment, and not decided
            return (await count())[1]
        return msgspec.msgpack.decode(kept)

    def _known(self, question: Question, state: State) -> bytes | None:
        kept = self._kept.get(_key(question))
        if kept is None or state is None or kept.state != state or _before(question.as_of, kept.as_of):
            return None
        self._kept.move_to_end(_key(question))
        return kept.answer

    def _keep(self, question: Question, state: State, answer: Any) -> None:
        if state is None or not question.decided(answer):
            return
        self._drop(_key(question))
        kept = self._kept[_key(question)] = _Kept(state, question.as_of, msgspec.msgpack.encode(answer))
        self._bytes += kept.size
        while self._bytes > MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= kept.size


def _key(question: Question) -> Hashable:
    return question.asked, question.since, question.until


def _before(as_of: datetime | None, kept: datetime | None) -> bool:
    return as_of is not None and kept is not None and as_of < kept


def _state_of(question: Question, months: Sequence[Row]) -> State:
    at = months[0]["at"]
    if question.until + SETTLED > min(question.as_of or at, at):
        return None
    first, last = _months_of(question)
    touched = [month for month in months if month["month"] is not None and first <= month["name"] <= last]
    if not all(month["watched"] for month in touched):
        return None
    return months[0]["started"], *((month["month"], month["filenode"], month["stamp"]) for month in touched)


def _months_of(question: Question) -> tuple[str, str]:
    """The first and the last month of a period, as those that are kept by month are named (`ensure_month`): in UTC."""
    last = question.until - timedelta(microseconds=1)
    return f"{question.since.astimezone(UTC):%Y_%m}", f"{last.astimezone(UTC):%Y_%m}"
