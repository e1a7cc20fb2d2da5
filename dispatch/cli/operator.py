"""Who works at this terminal."""

from __future__ import annotations

import getpass
import os

from dispatch.errors import Malformed


def operator_here(by: str | None) -> str:
    """How whoever gives a command is written down on a case: `operator:` and their name. Raises `Malformed`."""
    return f"operator:{name_here(by)}"


def name_here(by: str | None) -> str:
    """`by`, or the name of the system's user.

    Raises `Malformed` for a name that is longer than 64 characters or cannot be printed.
    """
    name = _user() if by is None else by.strip()
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise Malformed(f"--by {name[:80]!r}: use 1 to 64 characters that can be printed", field="by")
    return name


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
