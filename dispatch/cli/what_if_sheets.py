"""What `dispatch what-if` prints. Cases are taken one by one and not kept in memory, and nothing is printed before
the end: half a list would be taken for a whole one.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Sequence
from typing import Protocol, TextIO

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatch.cli.tables import folded_columns, whole_column
from dispatch.what_if import Compared, Summary

_SHOWN = 50


class Sheet(Protocol):
    """Takes each case as it was compared, and prints when all were."""

    def take(self, one: Compared) -> None: ...

    def end(self, over_all: Summary) -> None: ...


class JsonSheet:
    """One document: the summary and the cases, which wait in a file `aside`."""

    def __init__(self, aside: TextIO) -> None:
        self._aside, self._between = aside, ""

    def take(self, one: Compared) -> None:
        self._aside.write(self._between + _as_json(one))
        self._between = ", "

    def end(self, over_all: Summary) -> None:
        typer.echo(f'{{"summary": {_as_json(over_all)}, "cases": [', nl=False)
        _print_all(self._aside)
        typer.echo("]}")


def _as_json(what: Compared | Summary) -> str:
    return json.dumps(msgspec.to_builtins(what), ensure_ascii=False)


def _print_all(aside: TextIO) -> None:
    aside.seek(0)
    shutil.copyfileobj(aside, sys.stdout)


class CsvSheet:
    """A line for each case; they wait in a file `aside`."""

    def __init__(self, aside: TextIO) -> None:
        self._aside, self._writer = aside, csv.writer(aside)
        self._writer.writerow(
            ("case", "kind", "raised_at", "enough_was", "enough_would", "on_scene_was", "on_scene_would",
             "called_was", "called_would", "also_called", "not_called", "at_another_time")
        )  # fmt: skip

    def take(self, one: Compared) -> None:
        was, would = one.was, one.would
        self._writer.writerow(
            (one.case, one.kind, one.raised_at.isoformat(), was.enough, would.enough, was.on_scene, would.on_scene,
             len(was.called), len(would.called), " ".join(one.never_called_before), " ".join(one.not_called_any_more),
             " ".join(_moved(one)))
        )  # fmt: skip

    def end(self, _over_all: Summary) -> None:
        _print_all(self._aside)


class TableSheet:
    """The first cases that would have gone otherwise, and a sentence on all."""

    def __init__(self) -> None:
        self._shown: list[Compared] = []
        self._in_force = True

    def take(self, one: Compared) -> None:
        self._in_force = self._in_force and one.same_policy
        if one.differs and len(self._shown) < _SHOWN:
            self._shown.append(one)

    def end(self, over_all: Summary) -> None:
        table = Table(
            whole_column("警情 case", [one.case for one in self._shown]),
            *folded_columns("kind", "足够 enough, was", "would", "called, was", "would"),
            *folded_columns("also called", "not called", "another time, s"),
        )
        for one in self._shown:
            cells = (
                one.case,
                one.kind,
                _seconds(one.was.enough),
                _seconds(one.would.enough),
                str(len(one.was.called)),
                str(len(one.would.called)),
                " ".join(one.never_called_before),
                " ".join(one.not_called_any_more),
                " ".join(_moved(one)),
            )
            table.add_row(*map(Text, cells))
        console = Console()
        if self._shown:
            console.print(table)
        if over_all.different > _SHOWN:
            console.print(f"… and {over_all.different - _SHOWN} more; --csv gives all")
        if over_all.cases and not over_all.different:
            in_force = "：这就是当时执行的策略: this is the policy in force" if self._in_force else ""
            typer.echo(f"0 of {over_all.cases} different{in_force}")
        typer.echo(
            f"{over_all.cases} cases, {over_all.different} of them different. Enough help was reached in "
            f"{over_all.enough_was}, would have been in {over_all.enough_would}; median "
            f"{_seconds(over_all.seconds_was)}, would have been {_seconds(over_all.seconds_would)}. People called: "
            f"{over_all.calls_was}, would have been {over_all.calls_would}."
        )


class OneSheet:
    """The case that was asked for, and who would have been called when."""

    def take(self, one: Compared) -> None:
        self._one = one

    def end(self, _over_all: Summary) -> None:
        one = self._one
        people = sorted(one.was.called.keys() | one.would.called.keys(), key=lambda p: one.would.called.get(p, 1e9))
        table = Table(
            whole_column("responder", people),
            *folded_columns("呼叫 called, was", "would"),
            title=f"{one.case} {one.kind}",
        )
        for person in people:
            table.add_row(person, _seconds(one.was.called.get(person)), _seconds(one.would.called.get(person)))
        Console().print(table)
        for what, was, would in (
            ("足够 enough", one.was.enough, one.would.enough),
            ("到场 on scene", one.was.on_scene, one.would.on_scene),
        ):
            typer.echo(f"{what}: was {_seconds(was)}, would have been {_seconds(would)}")
        typer.echo(f"升级 steps: was {_steps(one.was.steps)}, would have been {_steps(one.would.steps)}")


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} s"


def _steps(steps: Sequence[float]) -> str:
    return ", ".join(map(_seconds, steps)) or "none"


def _moved(one: Compared) -> list[str]:
    """Who is called at another time, and the seconds as they were and would have been."""
    return [
        f"{person}:{one.was.called[person]:.0f}→{one.would.called[person]:.0f}" for person in one.called_at_another_time
    ]
