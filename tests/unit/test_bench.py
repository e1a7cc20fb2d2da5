"""Benchmarks measure presses that are accepted: they keep to the limits that a stuck key has."""

from __future__ import annotations

from collections.abc import Collection

import pytest

import bench.__main__
from bench.__main__ import SCENES, main
from bench.accepted import PER_SECOND, pace
from bench.figures import Comparison
from dispatch.intake import Limits


@pytest.mark.parametrize("households", [21, 60, 300, 5000])
def test_no_household_of_a_benchmark_presses_more_often_than_it_may(households: int) -> None:
    assert 0 < pace(households) <= PER_SECOND
    assert pace(households) / households <= 1 / Limits().seconds


def test_a_benchmark_of_which_nothing_would_be_left_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--alarms", "20"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "at least 21 alarms" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "scenes"),
    [([], [*SCENES, *SCENES]), (["--only", "storm"], ["storm"]), (["--only", "rebuilt"], ["rebuilt"])],
)
def test_one_scene_can_be_played_alone(
    arguments: list[str], scenes: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    async def measure(chosen: Collection[str], *_: int) -> list[Comparison]:
        asked.extend(chosen)
        return []

    monkeypatch.setattr(bench.__main__, "measure", measure)
    monkeypatch.setattr(bench.__main__, "measure_read_models", measure)
    monkeypatch.setattr("sys.argv", ["bench", "--json", *arguments])
    main()
    assert asked == scenes
    assert '"benchmarks": []' in capsys.readouterr().out
