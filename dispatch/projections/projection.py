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
    """`case` as it is after `commits`, which are new to the read model."""

    site: Site
    case: Case
    commits: tuple[Commit, ...]


class ProjectionQueries(msgspec.Struct, frozen=True, kw_only=True):
    """`write` stores rows and moves the checkpoint in one statement; `clear` forgets the rows of a site.

    Parameters of `write`: site, projection, creation time of the stream, sequence that the checkpoint
    must have reached, new sequence, id of its commit, rows as a JSON list. It returns how many
    checkpoints it moved: none when this one is elsewhere, and then it has written no row either.
    """

    write: str
    clear: str


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A read model. `rows` gives the rows that a change makes or replaces, none of them twice."""

    name: str
    rows: Callable[[Change], Iterable[msgspec.Struct]]
    queries: ProjectionQueries

    @classmethod
    def beside(cls, module: str, rows: Callable[[Change], Iterable[msgspec.Struct]]) -> Self:
        """The read model of the file `module`, named after it, with the `.sql` that stands beside it."""
        path = Path(module)
        return cls(name=path.stem, rows=rows, queries=load(path.with_suffix(".sql"), ProjectionQueries))
