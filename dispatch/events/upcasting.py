"""Old versions of events, brought up to today's on read.

Each upcaster takes the plain document of one old version and gives that of the next. None is
needed yet: every event is at its first version. `tests/unit/golden/` keeps one of each version
ever written, and all must decode forever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]

UPCASTERS: dict[str, Callable[[Document], Document]] = {}
"""From the `type` of an old version to what makes the next version out of it."""


def upcast(document: Document) -> Document:
    """`document` at its newest version; unchanged when it is that already."""
    while (step := UPCASTERS.get(document.get("type", ""))) is not None:
        document = step(document)
    return document
