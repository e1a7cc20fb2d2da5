"""Tables on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Column

MOST_IN_ONE_LINE = 40


def id_column(name: str, ids: Sequence[str]) -> Column:
    """A column in which ids stand whole, to be copied; a very long one goes on in the next line."""
    return Column(name, overflow="fold", no_wrap=all(len(id_) <= MOST_IN_ONE_LINE for id_ in ids))
