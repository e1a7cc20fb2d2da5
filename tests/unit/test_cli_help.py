"""Every `--help` has examples, and each example is a command that there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from dispatch.cli import build

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


def parse(command: object, words: list[str]) -> None:
    """Read `words` as the command line does. Raises a usage error when it would refuse them."""
    assert isinstance(command, TyperCommand | TyperGroup)
    if isinstance(command, TyperCommand):
        command.make_context("dispatch", list(words)).close()
    else:
        assert words[0] in command.commands, words
        parse(command.commands[words[0]], words[1:])
