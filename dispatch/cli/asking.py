"""Asking before something happens to other people."""

from __future__ import annotations

import sys

import typer

from dispatch.errors import Malformed


def sure(question: str, *, yes: bool) -> bool:
    """Whether whoever is at the terminal says yes; `yes` says it for them.

    Raises `Malformed` where nobody can be asked: what a script does not say is not assumed.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Malformed("nobody can be asked here: add --yes", field="yes")
    return typer.confirm(question)
