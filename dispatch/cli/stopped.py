"""Ctrl-C in the middle of a command: what that leaves, and how to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

STOPPED = 130
"""What a shell says of a command that Ctrl-C ended: 128 and the number of SIGINT."""


@contextmanager
def stopped(advice: Callable[[], str]) -> Iterator[None]:
    """When Ctrl-C ends what is done inside, say so with `advice()`, and end the command with `STOPPED`."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"已中断 stopped. {advice()}", err=True)
        raise typer.Exit(STOPPED) from None
