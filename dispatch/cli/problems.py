"""What is wrong with a file, on the terminal: the first rows in full, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from dispatch.cli.tables import visible

SHOWN = 50


def counted(number: int, what: str) -> str:
    """So many of `what`, in English."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def show_problems(console: Console, problems: Sequence[object]) -> None:
    """Print `problems`, each on a line that a program can read, up to `SHOWN` of them."""
    for problem in problems[:SHOWN]:
        console.print(Text(visible(str(problem))), soft_wrap=True)
    if len(problems) > SHOWN:
        console.print(f"… and {len(problems) - SHOWN} more; --json gives all")
