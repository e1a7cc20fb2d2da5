"""Asking before something happens to other people."""

from __future__ import annotations

import asyncio
import sys

import typer

from dispatch.cli.stopped import STOPPED
from dispatch.errors import Malformed

_ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


def can_ask() -> bool:
    """Whether somebody sits at the terminal."""
    return sys.stdin.isatty()


async def sure(question: str, *, yes: bool, undone: str) -> bool:
    """Whether whoever is at the terminal says yes; `yes` says it for them. The loop runs on meanwhile.

    Ctrl-C instead of an answer ends the command with `STOPPED`, after `undone`: what, then, was not done. Raises
    `Malformed` where nobody can be asked: what a script does not say is not assumed.
    """
    if yes:
        return True
    if not can_ask():
        raise Malformed("nobody can be asked here: add --yes", field="yes")
    try:
        while True:
            typer.echo(f"{question} [y/N]: ", nl=False, err=True)
            if (answer := _ANSWERS.get((await _line()).strip().lower())) is not None:
                return answer
            typer.echo("请答 y 或 n: say y or n", err=True)
    except asyncio.CancelledError:  # so Ctrl-C reaches what runs in a loop; a read that blocks it would not hear of it
        typer.echo(f"\n已中断 stopped. {undone}", err=True)
        raise typer.Exit(STOPPED) from None


def secret(what: str, *, undone: str, default: str | None = None) -> str:
    """What is typed unseen at the terminal, or the next line of standard input where that is none.

    An empty answer is `default`. Ctrl-C ends the command with `STOPPED`, after `undone`. Raises `Malformed` for
    an empty line, or none, where there is no `default`.
    """
    if can_ask():
        try:
            typed: str = typer.prompt(what, default=default, hide_input=True, show_default=False, err=True)
        except typer.Abort:
            typer.echo(f"\n已中断 stopped. {undone}", err=True)
            raise typer.Exit(STOPPED) from None
        return typed
    if said := sys.stdin.readline().rstrip("\r\n"):
        return said
    if default is None:
        raise Malformed(f"{what}: standard input has no line for it", field="pin")
    return default


async def _line() -> str:
    """The next line of standard input; empty at its end. A terminal has something to read once a line is whole."""
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), there.set)
    try:
        await there.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()
