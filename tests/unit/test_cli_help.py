"""Every `--help` has examples, each a command that there is; what was typed wrongly ends with exit code 2."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from dispatch.__main__ import main
from dispatch.cli import build
from dispatch.roster.demo import FILES

Command = TyperCommand | TyperGroup

DISPATCH = get_command(build())
assert isinstance(DISPATCH, TyperGroup)


def commands(name: str, command: object) -> Iterator[tuple[str, Command]]:
    assert isinstance(command, TyperCommand | TyperGroup)
    yield name, command
    if isinstance(command, TyperGroup):
        for child, below in command.commands.items():
            yield from commands(f"{name} {child}", below)


COMMANDS = dict(commands("dispatch", DISPATCH))


def examples(command: Command) -> list[list[str]]:
    """What the help says to type, as words: without variables before it and remarks two spaces behind it."""
    lines = re.findall(r"^ *(?:DISPATCH_\w+=\S+ )*dispatch (.+)$", command.help or "", flags=re.MULTILINE)
    return [shlex.split(re.split(r"\s{2,}", line)[0]) for line in lines]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_has_examples_that_can_be_typed(name: str) -> None:
    command = COMMANDS[name]
    assert "Examples:" in (command.help or "")
    assert examples(command)
    for words in examples(command):
        assert " ".join(["dispatch", *words]).startswith(name)
        parse(DISPATCH, words)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_flag_is_shown_without_a_type(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        COMMANDS[name].main(["--help"], prog_name=name)
    told = capsys.readouterr().out
    assert "--help" in told
    assert "<bool>" not in told


@pytest.mark.parametrize("name", COMMANDS)
def test_a_paragraph_is_as_wide_as_the_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    paragraphs = inspect.cleandoc(COMMANDS[name].help or "").split("\n\n")
    prose = [one for one in paragraphs if not re.search(r"^ ", one, re.MULTILINE)]
    with pytest.raises(SystemExit):
        COMMANDS[name].main(["--help"], prog_name=name)
    told = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [one for one in prose if one.replace("\n", " ") not in told] == []


def parse(command: object, words: list[str]) -> None:
    """Read `words` as the command line does. Raises a usage error when it would refuse them."""
    assert isinstance(command, TyperCommand | TyperGroup)
    if isinstance(command, TyperCommand) or (command.invoke_without_command and words[0].startswith("-")):
        command.make_context("dispatch", list(words)).close()
    else:
        assert words[0] in command.commands, words
        parse(command.commands[words[0]], words[1:])


DEMO = {line.split(",")[0] for file in FILES for line in file.read_text().splitlines()}
KINDS_OF_IDS = re.compile(r"[hp]-\d{4}(?!-)")


def named(words: list[str]) -> list[str]:
    """The areas, households and people of the roster that `words` name."""
    areas = [area for option, area in pairwise(words) if option == "--area"]
    return areas + [word for word in words if KINDS_OF_IDS.fullmatch(word)]


def test_whom_and_what_the_examples_name_is_in_the_demo_roster() -> None:
    names = [name for command in COMMANDS.values() for words in examples(command) for name in named(words)]
    assert {"maozhou", "h-0002", "p-0001"} <= set(names)
    assert [name for name in names if name not in DEMO] == []


@pytest.mark.parametrize(
    "typed",
    [
        "lost",
        "case list --status bad",
        "case list --limit 0",
        "case note h-0002-7K3M9QXZ",
        "case note h-0002-7K3M9QXZ one --text two",
        "case note h-0002-7K3M9QXZ \x07",
        "case cancel h-0002-7K3M9QXZ --by ''",
        "case pause h-0002-7K3M9QXZ --minutes 31",
        "case resume",
        "case answer h-0002-7K3M9QXZ p-0003 soon",
        "case answer h-0002-7K3M9QXZ p-0003 cannot --eta 5",
        "alarm h-0002 --kind zzz",
        "alarm",
        "token new boss x",
        "token new operator x --days 0",
        "roster list foo",
        "roster show foo x",
        "up --port 70000",
        "dlq list --limit x",
        "dlq retry",
        "dlq retry 0",
        "dlq dismiss 1",
        "drill --minutes 0 --household h-0002",
        "drill report",
    ],
)
def test_what_is_typed_wrongly_ends_with_exit_code_2_and_says_why(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["dispatch", *shlex.split(typed)])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert told.err.strip()
    assert "Value error" not in told.err
