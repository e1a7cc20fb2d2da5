"""Ctrl-C in the middle of a command: what that leaves, and how to go on."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from msgspec.structs import replace

from dispatch.__main__ import main
from dispatch.cli.progress import HowFar
from dispatch.events import Press


@pytest.mark.parametrize(
    ("stage", "options", "said"),
    [
        ("checking", [], "Nothing was written yet: run it again."),
        ("writing", [], "done: at least 1,200 of 9,000 documents; what is written stays."),
        ("writing", ["--dry-run"], "Nothing was written: it was a dry run."),
    ],
)
def test_an_import_of_the_roster_says_how_far_it_came(
    stage: str, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def until_ctrl_c(_files: object, far: HowFar, **_: object) -> None:
        far(stage, 1200, 9000)
        raise KeyboardInterrupt

    monkeypatch.setattr("dispatch.cli.roster._import", until_ctrl_c)
    monkeypatch.setattr("sys.argv", ["dispatch", "roster", "import", "people.csv", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("stage", "options"), [("reading", []), ("reading", ["--dry-run"])])
def test_an_import_of_history_says_when_nothing_was_written(
    stage: str, options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def until_ctrl_c(_file: object, _zone: object, far: HowFar, **_: object) -> None:
        far(stage, 1200, 9000)
        raise KeyboardInterrupt

    monkeypatch.setattr("dispatch.cli.history._import", until_ctrl_c)
    monkeypatch.setattr("sys.argv", ["dispatch", "history", "import", "calls.csv", *options])
    with pytest.raises(SystemExit):
        main()
    assert ("Nothing was written: it was a dry run." in capsys.readouterr().err) == bool(options)


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        (True, "The alarm goes on: `dispatch case list`"),
        (False, "is not known; `dispatch alarm h-0002 --press p-1` sends it again, as one press."),
    ],
)
def test_it_is_the_waiting_that_ends_and_not_the_alarm(
    accepted: bool, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def until_ctrl_c(alarm: Any, *, wait: bool) -> None:
        assert wait
        alarm._accepted = accepted
        raise KeyboardInterrupt

    monkeypatch.setattr("dispatch.cli.alarm._Alarm.send", until_ctrl_c)
    monkeypatch.setattr("sys.argv", ["dispatch", "alarm", "h-0002", "--press", "p-1", "--wait"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert said in capsys.readouterr().err


def test_what_sends_a_press_again_sends_the_same_press(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its options a silent drill of a fire would be a loud, real call for help."""
    sent = list[Press]()

    async def until_ctrl_c(alarm: Any, **_: object) -> None:
        sent.append(alarm._press)
        raise KeyboardInterrupt

    def said(*command: str) -> str:
        monkeypatch.setattr("sys.argv", list(command))
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().err

    monkeypatch.setattr("dispatch.cli.alarm._Alarm.send", until_ctrl_c)
    advice = said("dispatch", "alarm", "h 0002;$x", "--kind", "fire", "--silent", "--drill", "--wait").split("`")[1]
    said(*shlex.split(advice))
    first, again = sent
    assert (first.household, first.kind, first.silent, first.drill) == ("h 0002;$x", "fire", True, True)
    assert again == replace(first, pressed_at=again.pressed_at)
