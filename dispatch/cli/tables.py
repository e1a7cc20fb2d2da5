"""Tables on a terminal of 80 columns: what does not fit goes on in the next line, and nothing is cut."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

MOST_IN_ONE_LINE = 40


def whole_column(name: str, values: Sequence[str]) -> Column:
    """A column in which `values` (ids, telephone numbers) stand whole, to be copied; a very long one is folded."""
    return Column(name, overflow="fold", no_wrap=all(len(value) <= MOST_IN_ONE_LINE for value in values))


def folded_columns(*names: str) -> list[Column]:
    """Columns whose words go on in the next line, also where they have no spaces, as Chinese has none."""
    return [Column(name, overflow="fold") for name in names]


def visible(text: str) -> str:
    """`text` of somebody else's as no terminal obeys it, or turns it round: what cannot be printed is written out."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def print_table(table: Table) -> None:
    """Print `table`; one without rows says so."""
    if table.row_count:
        Console().print(table)
    else:
        Console().print(f"{table.title}: 没有 none" if table.title else "没有 none", highlight=False)
