"""What a read model is: a name, a pure function from a changed case to rows, and the SQL that stores them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import msgspec

from dispatch.cases import Case
from dispatch.events import Commit
from dispatch.identifiers import Site
from dispatch.projections.sql import load


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`case` as it is after `commits`, which are new to the read model, and as it was `before` them.

    A case that is read whole was not there before, nor one of which this read model may have skipped a commit. What a
    read model has of one that was is of `before`, or newer.
    """

    site: Site
    case: Case
    commits: tuple[Commit, ...]
    before: Case = Case()


class ProjectionQueries(msgspec.Struct, frozen=True, kw_only=True):
    """`write` stores the rows of `$1`, a JSON list; `clear` forgets the rows of the site `$1`."""

    write: str
    clear: str


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A read model. `rows` gives the rows that a change makes or replaces, none of them twice; it may leave out those
    that are as they were before.
    """

    name: str
    rows: Callable[[Change], Iterable[msgspec.Struct]]
    queries: ProjectionQueries

    @classmethod
    def beside(cls, module: str, rows: Callable[[Change], Iterable[msgspec.Struct]]) -> Self:
        """The read model of the file `module`, named after it, with the `.sql` that stands beside it."""
        path = Path(module)
        return cls(name=path.stem, rows=rows, queries=load(path.with_suffix(".sql"), ProjectionQueries))
