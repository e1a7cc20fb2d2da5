"""Asking before something happens to other people."""

from __future__ import annotations

import sys

import typer

from dispatch.errors import Malformed


def can_ask() -> bool:
    """Whether somebody sits at the terminal."""
    return sys.stdin.isatty()


def sure(question: str, *, yes: bool) -> bool:
    """Whether whoever is at the terminal says yes; `yes` says it for them.

    Raises `Malformed` where nobody can be asked: what a script does not say is not assumed.
    """
    if yes:
        return True
    if not can_ask():
        raise Malformed("nobody can be asked here: add --yes", field="yes")
    return typer.confirm(question)
