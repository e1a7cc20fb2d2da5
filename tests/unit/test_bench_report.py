"""What benchmarks say of their figures: ratios, what was reached, the table, the page and its plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import report
from bench.figures import Check, Goal, Line, Measured, milliseconds
from bench.report import markdown
from bench.results import Comparison, Failed, Growth, Listing, Memory, Result, sizes_up_to

GOAL = Goal(p50=3, p99=10, bare_p50=0.5, bare_p99=2)


def steady(value: float, worst: float | None = None, name: str = "x") -> Measured:
    """A hundred times `value`, the last two of them `worst`."""
    return Measured(name, [value] * 98 + [value if worst is None else worst] * 2)


def test_a_comparison_says_times_ratios_and_goals() -> None:
    p50, p99 = Comparison("t", ours=steady(2, 30), bare=steady(0.5, 2), goal=GOAL).lines()
    assert p50 == Line(
        what="p50", ours="2.00 ms", bare="0.50 ms", ratio="×4.00 of the bare limit",
        checks=(Check("time", "≤ 3 ms", reached=True), Check("ratio", "≤ ×6.0 of the bare limit", reached=True)),
    )  # fmt: skip
    assert (p99.ours, p99.bare, p99.ratio, p99.reached) == ("30.0 ms", "2.00 ms", "×15.00 of the bare limit", "no")
    assert p99.goal == "≤ 10 ms, ≤ ×5.0 of the bare limit"


@pytest.mark.parametrize(
    ("ours", "bare", "reached"),
    [
        (3, 0.5, "yes"),
        (3.1, 0.6, "time no, ratio yes"),  # a slow machine
        (2.9, 0.2, "time yes, ratio no"),  # a fast one
        (3.1, 0.5, "no"),
    ],
)
def test_a_time_and_a_ratio_are_both_judged(ours: float, bare: float, reached: str) -> None:
    assert Comparison("t", ours=steady(ours), bare=steady(bare), goal=GOAL).lines()[0].reached == reached


@pytest.mark.parametrize(("ours", "reached"), [(1.0, "yes"), (4.0, "yes"), (4.1, "no")])
def test_ours_may_take_as_long_as_the_peer(ours: float, reached: str) -> None:
    line = Comparison("t", ours=steady(ours), bare=steady(1), peer=steady(4)).lines()[0]
    assert (line.peer, line.goal, line.reached) == ("4.00 ms", "≤ ×1 of the peer", reached)
    assert line.ratio == f"×{ours:.2f} of the bare limit, ×{ours / 4:.2f} of the peer"


def test_what_was_measured_a_few_times_has_no_p99() -> None:
    once = Comparison("t", ours=Measured("x", [1400]), bare=Measured("x", [700]))
    assert [(line.what, line.ours, line.goal, line.reached) for line in once.lines()] == [
        ("time", "1,400 ms", "–", "–")
    ]
    thrice = Comparison("t", ours=Measured("x", [1, 2, 9]), bare=Measured("x", [1]))
    assert [(line.what, line.ours) for line in thrice.lines()] == [("median of 3", "2.00 ms")]


def test_growth_is_flat_or_not_at_each_size() -> None:
    growth = Growth(
        "t", "households", [1000, 10_000, 20_000],
        ours=[steady(2, 5), steady(2.5, 6.5), steady(2.7, 6.6)], bare=[steady(1), steady(1), steady(1)], within=1.3,
    )  # fmt: skip
    assert [(line.what, line.reached) for line in growth.lines()] == [
        ("1,000 households, p50", "–"),
        ("1,000 households, p99", "–"),
        ("10,000 households, p50", "yes"),
        ("10,000 households, p99", "yes"),
        ("20,000 households, p50", "no"),
        ("20,000 households, p99", "no"),
    ]
    assert growth.lines()[4].ratio == "×2.70 of the bare limit, ×1.35 of that with 1,000"


@pytest.mark.parametrize(
    ("largest", "sizes"), [(1000, [1000]), (5000, [1000, 5000]), (100_000, [1000, 10_000, 100_000])]
)
def test_sizes_grow_tenfold(largest: int, sizes: list[int]) -> None:
    assert sizes_up_to(largest, smallest=1000) == sizes


def test_a_listing_judges_what_has_a_limit() -> None:
    listing = Listing("t", [(steady(50, 90, "board"), 100), (steady(50, 990, "year"), None), (steady(101), 100)])
    assert [(line.what, line.goal, line.reached) for line in listing.lines()] == [
        ("board, p95", "≤ 100 ms", "yes"),
        ("year, p95", "–", "–"),
        ("x, p95", "≤ 100 ms", "no"),
    ]


def test_memory_stands_beside_bare_python() -> None:
    (line,) = Memory("t", {"fanout": (60 * 2**20, 90 * 2**20)}, bare=30 * 2**20).lines()
    assert (line.ours, line.bare) == ("60 MiB → 90 MiB", "30 MiB")
    assert line.ratio == "×2.00 → ×3.00 of the bare limit"


@pytest.mark.parametrize(("value", "said"), [(0.431, "0.43 ms"), (12.34, "12.3 ms"), (1400.4, "1,400 ms")])
def test_times_have_the_figures_that_mean_something(value: float, said: str) -> None:
    assert milliseconds(value) == said


ALL: dict[str, Sequence[Result]] = {
    "accepted": [
        Comparison("press accepted", ours=steady(2, 5), bare=steady(1, 2), goal=GOAL, facts={"presses": 1000})
    ],
    "storm": [Comparison("a storm", ours=Measured("x", [3000]), bare=Measured("y", [1400]))],
    "consume": [
        Comparison("a backlog", ours=steady(1, name="ours|x"), bare=steady(1), peer=steady(2, name="FastStream")),
        Comparison("steadily", ours=steady(1), bare=steady(1), peer=steady(2), facts={"outcomes": {"sent": 3000}}),
    ],
    "lookup": [Growth("look-up", "households", [1000, 2000], [steady(1)] * 2, [steady(1)] * 2, within=1.3)],
    "reports": [Listing("reports", [(steady(5, name="a query"), 100), (steady(500, name="a year"), None)])],
    "memory": [Memory("memory", {"fanout": (2**20, 2**21)}, bare=2**20)],
    "rebuild": [Failed("rebuild", "AssertionError: a|b differs")],
}


def test_the_page_has_every_scene_and_a_failed_one_with_its_reason() -> None:
    page = markdown({"date": "2026-01-01", "processor": "two cores"}, ALL, {"look-up": "benchmarks/lookup.svg"})
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert {row.count("|") for row in rows} == {8}, "a name with a bar would shift the columns"
    assert "| failed | AssertionError: a∣b differs | – | – | – | – | no |" in rows
    assert "| p50 | 2.00 ms | 1.00 ms | – | ×2.00 of the bare limit | ≤ 3 ms, ≤ ×6.0 of the bare limit | yes |" in rows
    for given in ALL.values():
        for result in given:
            assert f"| **{result.title}** |  |  |  |  |  |  |" in rows
    assert "![look-up](benchmarks/lookup.svg)" in page
    assert "- presses: 1,000" in page
    assert "- outcomes: sent 3,000" in page
    assert "peer: FastStream" in page
    assert "- processor: two cores" in page
    assert "\n\n\n" not in page


def test_the_page_is_written_with_a_plot_of_all_that_was_measured(tmp_path: Path) -> None:
    old = tmp_path / "benchmarks" / "of-a-scene-that-is-gone.svg"
    old.parent.mkdir()
    old.write_text("<svg/>")
    page = report.write(tmp_path, {"date": "now"}, ALL)
    plots = {plot.name: plot for plot in (tmp_path / "benchmarks").glob("*")}
    assert sorted(plots) == [
        "accepted.svg", "consume-2.svg", "consume.svg", "lookup.svg", "memory.svg", "reports.svg", "storm.svg",
    ]  # fmt: skip
    for name, plot in plots.items():
        assert ET.parse(plot).getroot().tag.endswith("svg")  # noqa: S314 - drawn here a moment ago
        assert f"(benchmarks/{name})" in page.read_text()


def test_the_same_figures_draw_the_same_plot(tmp_path: Path) -> None:
    written = [report.write(tmp_path / name, {"date": "now"}, ALL) for name in ("one", "two")]
    one, two = ((page.parent / "benchmarks" / "consume.svg").read_text() for page in written)
    assert one == two
