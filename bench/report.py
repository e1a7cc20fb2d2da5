"""The table of all results, on a terminal and as `docs/benchmarks.md`. It takes whatever a scene gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import plots
from bench.figures import Line
from bench.results import Result

Results = Mapping[str, Sequence[Result]]
"""By scene."""
COLUMNS = ("what", "ours", "bare limit", "peer", "ratio", "goal", "reached")
FILE, PLOTS = "benchmarks.md", "benchmarks"
_COLOURS = {"yes": "green", "no": "red"}

_HEAD = """\
# Benchmarks

`make bench` writes this page: every figure on it was measured in one run, and none is typed in.
Each scene measures ours, the bare limit of the same machine (the same servers, with none of our code in the way) and,
where others offer the same work, a peer. Machines differ and are noisy, so the ratios say more than the times: a goal
has a time and, taken from the machine on which it was set, a ratio to the bare limit; both are judged. Where a peer
does the same work, the goal is to take no longer. [PERFORMANCE.md](PERFORMANCE.md) says where the time goes.
"""

_AGAIN = """\
## Again

```sh
make bench                               # all of it, some minutes, and this page anew
make bench ARGS="--only lookup consume"  # some scenes, to the terminal alone
make bench ARGS=--json                   # for a machine
make bench ARGS=--help                   # scenes and sizes
```
"""


def show(results: Results) -> None:
    """Print the table."""
    table = Table(title="ours beside the bare limit and a peer: one run, this machine")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for result in _each(results):
        table.add_row(f"[bold]{escape(result.title)}")
        for line in result.lines():
            what, *figures, reached = map(escape, _cells(line))
            table.add_row(f"  {what}", *figures, f"[{_COLOURS.get(reached, 'default')}]{reached}")
        table.add_section()
    Console(width=180).print(table)


def write(folder: Path, machine: Mapping[str, str], results: Results) -> Path:
    """Write the page and its plots into `folder`; gives the page."""
    page = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    pictures = plots.draw(folder / PLOTS, results)
    page.write_text(markdown(machine, results, {title: f"{PLOTS}/{name}" for title, name in pictures.items()}))
    return page


def markdown(machine: Mapping[str, str], results: Results, pictures: Mapping[str, str]) -> str:
    """The page; `pictures` are the places of the plots by the title of their result."""
    measured_on = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    sections = "".join(_section(result, pictures.get(result.title)) for result in _each(results))
    return f"{_HEAD}\n## Measured on\n\n{measured_on}\n\n{_AGAIN}\n## All figures\n\n{_table(results)}{sections}"


def _each(results: Results) -> Iterator[Result]:
    for given in results.values():
        yield from given


def _table(results: Results) -> str:
    rows = [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
    for result in _each(results):
        rows.append(_row([f"**{result.title}**", *[""] * (len(COLUMNS) - 1)]))
        rows += [_row(_cells(line)) for line in result.lines()]
    return "\n".join(rows) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '∣') for cell in cells)} |"


def _cells(line: Line) -> list[str]:
    return [line.what, line.ours, line.bare, line.peer, line.ratio, line.goal, line.reached]


def _section(result: Result, picture: str | None) -> str:
    facts = [f"- {name.replace('_', ' ')}: {_said(value)}" for name, value in result.facts.items()]
    paragraphs = [result.legend, f"![{result.title}]({picture})" if picture else "", "\n".join(facts)]
    said = [paragraph for paragraph in paragraphs if paragraph]
    return "\n" + "\n\n".join([f"## {result.title}", *said]) + "\n" if said else ""


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
