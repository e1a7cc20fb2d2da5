"""A plot of each result that has one, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Measured
from bench.results import Comparison, Growth, Listing, Memory, Result
from bench.scene import console

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, BARE, PEER, GOAL = "#1f5fa8", "#8a8a8a", "#d9822b", "#b3261e"
_INCHES = (8.0, 3.6)
_ENOUGH_FOR_A_CURVE = 20


def draw(folder: Path, results: Mapping[str, Sequence[Result]]) -> dict[str, str]:
    """Draw what can be drawn into `folder`, in place of what was there; gives the files' names by title.

    `results` are by scene, after which the files are named.
    """
    try:
        from matplotlib import rc_context  # slow to load, and only who writes the page needs it
        from matplotlib.figure import Figure
    except ImportError:
        console.print("[yellow]no plots: matplotlib is not installed")
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    drawn: dict[str, str] = {}
    with rc_context({"svg.hashsalt": "dispatch", "svg.fonttype": "none", "font.size": 9}):
        for scene, result, number in ((s, r, n) for s, given in results.items() for n, r in enumerate(given, start=1)):
            figure = Figure(figsize=_INCHES, layout="constrained")
            axes = figure.subplots()
            if _plot(result, axes):
                axes.spines[["top", "right"]].set_visible(False)
                drawn[result.title] = f"{scene}.svg" if number == 1 else f"{scene}-{number}.svg"
                figure.savefig(folder / drawn[result.title], metadata={"Date": None})
    return drawn


@singledispatch
def _plot(result: Result, axes: Axes) -> bool:  # noqa: ARG001 - what has no plot needs no axes
    """Whether there is anything to see."""
    return False


@_plot.register(Comparison)
def _plot_comparison(result: Comparison, axes: Axes) -> bool:
    series = [(result.bare, BARE), (result.ours, OURS), *([(result.peer, PEER)] if result.peer is not None else [])]
    if len(result.ours.milliseconds) < _ENOUGH_FOR_A_CURVE:
        _bars(axes, series)
    else:
        for measured, colour in series:
            ordered = sorted(measured.milliseconds)
            shares = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
            axes.plot(ordered, shares, color=colour, label=measured.name)
        axes.set(xscale="log", xlabel="ms", ylabel="% within", ylim=(0, 101))
    if result.goal is not None:
        for limit in sorted({result.goal.p50, result.goal.p99}):
            axes.axvline(limit, color=GOAL, linewidth=0.8, linestyle=":", label=f"goal {limit:g} ms")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    return True


def _bars(axes: Axes, series: Sequence[tuple[Measured, str]]) -> None:
    for measured, colour in series:
        axes.barh(measured.name, measured.p50, color=colour)
    axes.set(xlabel="ms")
    axes.invert_yaxis()


@_plot.register(Growth)
def _plot_growth(result: Growth, axes: Axes) -> bool:
    for name, kind, colour in (("ours", result.ours, OURS), ("bare limit", result.bare, BARE)):
        axes.plot(result.sizes, [each.p50 for each in kind], color=colour, marker="o", label=f"{name}, p50")
        axes.plot(result.sizes, [each.p99 for each in kind], color=colour, marker=".", ls="--", label=f"{name}, p99")
    flat = result.within * result.ours[0].p50
    axes.axhline(flat, color=GOAL, linewidth=0.8, linestyle=":", label=f"p50 at first ×{result.within:g}")
    axes.set(xscale="log", xlabel=result.of, ylabel="ms", ylim=(0, None))
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return True


@_plot.register(Listing)
def _plot_listing(result: Listing, axes: Axes) -> bool:
    for series, most in result.measured:
        axes.barh(series.name, series.at(result.which), color=OURS)
        if most is not None:
            axes.plot([most], [series.name], marker="|", color=GOAL)
    axes.figure.set_size_inches(_INCHES[0], 1 + 0.25 * len(result.measured))  # type: ignore[union-attr]
    axes.set(xlabel=f"{result.which}, ms")
    axes.invert_yaxis()
    return True


@_plot.register(Memory)
def _plot_memory(result: Memory, axes: Axes) -> bool:
    names = list(result.processes)
    for offset, place, label, colour in ((-0.2, 0, "after its start", BARE), (0.2, 1, "after the load", OURS)):
        sizes = [result.processes[name][place] / 2**20 for name in names]
        axes.barh([number + offset for number in range(len(names))], sizes, height=0.4, color=colour, label=label)
    axes.axvline(result.bare / 2**20, color=PEER, linewidth=0.8, linestyle=":", label="Python with nats-py alone")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="MiB")
    axes.invert_yaxis()
    axes.legend(frameon=False)
    return True
