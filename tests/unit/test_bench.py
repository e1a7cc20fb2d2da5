"""Benchmarks: what is played, how large, and that no scene presses more often than it may."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import pytest

import bench.__main__
from bench import reports
from bench.__main__ import QUICK, main
from bench.accepted import PER_SECOND, pace
from bench.figures import Measured
from bench.programme import SCENES, Play, Sizes, Stage, play
from bench.results import Failed, Listing, Result
from dispatch.intake import Limits


def some(title: str) -> Result:
    return Listing(title, [(Measured("a", [1.0]), None)])


@pytest.mark.parametrize("households", [21, 60, 300, 5000])
def test_no_household_of_a_benchmark_presses_more_often_than_it_may(households: int) -> None:
    assert 0 < pace(households) <= PER_SECOND
    assert pace(households) / households <= 1 / Limits().seconds


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--alarms", "20"], "at least 21 alarms"),
        (["--times", "3"], "4 times"),
        (["--households", "1500"], "multiple of 1000"),
        (["--cases", "0"], "multiple of 1000"),
        (["--responders", "14"], "1 to 13 responders"),
        (["--past", "0"], "1 past one"),
        (["--only", "nothing"], "invalid choice"),
    ],
)
def test_a_benchmark_of_which_nothing_would_be_left_is_refused(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "scenes", "sizes"),
    [
        ([], list(SCENES), Sizes()),
        (["--only", "storm"], ["storm"], Sizes()),
        (["--only", "storm", "lookup", "--only", "memory"], ["storm", "lookup", "memory"], Sizes()),
        (["--presses", "7"], list(SCENES), Sizes(presses=7)),
        (["--quick", "--storm", "0"], list(SCENES), replace(QUICK, storm=0)),
    ],
)
def test_scenes_and_sizes_can_be_chosen(
    arguments: list[str],
    scenes: list[str],
    sizes: Sizes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[list[str], Sizes]] = []

    async def played(names: Collection[str], sizes: Sizes) -> dict[str, Sequence[Result]]:
        asked.append((list(names), sizes))
        return {"storm": [some("a storm")]}

    monkeypatch.setattr(bench.__main__, "play", played)
    monkeypatch.setattr("sys.argv", ["bench", "--json", *arguments])
    main()
    assert asked == [(scenes, sizes)]
    said = json.loads(capsys.readouterr().out)
    assert [(one["scene"], one["title"]) for one in said["benchmarks"]] == [("storm", "a storm")]
    assert said["machine"]["Python"]


async def test_a_scene_that_fails_stands_in_the_table_and_the_others_play() -> None:
    played = await play(["good", "bad", "worse", "slow", "last"], Sizes(), scenes_of_all_kinds(), patience=0.2)
    assert {name: [each.title for each in given] for name, given in played.items()} == {
        "good": ["good"], "bad": ["bad"], "worse": ["worse"], "slow": ["slow"], "last": ["last", "more"],
    }  # fmt: skip
    failed = {name: given[0].reason for name, given in played.items() if isinstance(given[0], Failed)}
    assert failed == {
        "bad": "AssertionError: a ring is missing",
        "worse": "ConnectionRefusedError: [Errno 111] refused",
        "slow": "TimeoutError: not done after 0.2 s",
    }


async def test_a_plan_that_reads_too_much_fails_the_scene_of_the_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    async def measured(*_: object) -> tuple[list[Measured], list[str]]:
        return [Measured("board", [1.0])], ["the board, fires is not read by board_newest_by_kind:\nSeq Scan on board"]

    monkeypatch.setattr(reports, "measure", measured)
    listing, failed = (await play(["reports"], Sizes()))["reports"]
    assert isinstance(listing, Listing)
    assert failed == Failed("a plan of the reports", "the board, fires is not read by board_newest_by_kind:")


async def test_scenes_are_played_in_their_own_order() -> None:
    played = await play(["last", "good"], Sizes(), scenes_of_all_kinds())
    assert list(played) == ["good", "last"]


def test_a_run_with_a_failed_scene_ends_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def played(*_: object) -> dict[str, Sequence[Result]]:
        return {"storm": [Failed("storm", "OSError: [Errno 111] refused")], "lookup": [some("look-up")]}

    monkeypatch.setattr(bench.__main__, "play", played)
    monkeypatch.setattr("sys.argv", ["bench"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "[Errno 111] refused" in said
    assert "look-up" in said


@pytest.fixture
def deaf() -> Iterator[None]:
    """A SIGTERM that nobody takes does nothing, where it would end the tests."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("deaf")
def test_who_is_told_to_end_stops_the_servers_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended_in_order: list[bool] = []

    async def played(*_: object) -> dict[str, Sequence[Result]]:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            async with asyncio.timeout(5):  # pytest's own limit does not end main()'s loop
                await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # servers are waited for, too
            ended_in_order.append(True)
        return {}

    monkeypatch.setattr(bench.__main__, "play", played)
    monkeypatch.setattr("sys.argv", ["bench"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 128 + signal.SIGTERM
    assert ended_in_order == [True]
    assert "nothing is written" in capsys.readouterr().err


def scenes_of_all_kinds() -> dict[str, Play]:
    async def good(_: Stage) -> list[Result]:
        return [some("good")]

    async def bad(_: Stage) -> list[Result]:
        raise AssertionError("a ring is missing")

    async def worse(_: Stage) -> list[Result]:
        raise ExceptionGroup("two", [ExceptionGroup("one", [OSError(111, "refused")]), ValueError("later")])

    async def slow(_: Stage) -> list[Result]:
        await asyncio.Event().wait()
        return []

    async def last(_: Stage) -> list[Result]:
        return [some("last"), some("more")]

    return {"good": good, "bad": bad, "worse": worse, "slow": slow, "last": last}
