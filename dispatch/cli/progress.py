"""Bars on the terminal for what takes long: how much is done, of how much, and for how long still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

Told = Callable[[str, int, int], None]
"""Is told a stage, how much of it is done, and of how much."""


class HowFar:
    """What was told last, for whoever asks how far it came. A `dry_run` is told of writing and writes nothing."""

    def __init__(self, *, dry_run: bool) -> None:
        self.stage, self.done, self.total = "", 0, 0
        self._dry_run = dry_run

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.stage, self.done, self.total = stage, done, total

    def left(self, what: str) -> str:
        """What an import of `what` that was stopped leaves, and how to go on."""
        if self._dry_run:
            return "没有写入任何内容 Nothing was written: it was a dry run. Run it again."
        if self.stage != "writing":
            return "没有写入任何内容 Nothing was written yet: run it again."
        return (
            f"至少已完成 done: at least {self.done:,} of {self.total:,} {what}; what is written stays. "
            "再运行一次即可补齐 Nothing is lost: run the same command again, and the rest goes in."
        )


@contextmanager
def bars(*, quiet: bool = False, also: Told | None = None) -> Iterator[Told]:
    """A bar for each stage that is told, on stderr; none when `quiet`. `also` is told the same."""
    columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        stages: dict[str, TaskID] = {}

        def told(stage: str, done: int, total: int) -> None:
            if also is not None:
                also(stage, done, total)
            if stage not in stages:
                stages[stage] = progress.add_task(stage, total=total)
            progress.update(stages[stage], completed=done, total=total)

        yield told
