"""Named queries: each stands in a `.sql` file beside its module, under `-- name: …` and a line of purpose.

What several of them have in common stands once, under `-- part: …` and its purpose, and goes where a line says
`-- here: …`, also into a part further down.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

Queries = TypeVar("Queries", bound=msgspec.Struct)

_HEAD = re.compile(r"^-- (name|part): (\w+)\n", re.MULTILINE)
_HERE = re.compile(r"-- here: (\w+)$", re.MULTILINE)


def load(path: Path, into: type[Queries], **instead: str) -> Queries:
    """The queries in the file at `path`, one for each field of `into`; `instead` names a part in place of another.

    Raises `ValueError` when the file holds others than `into` names, and `KeyError` for a part that it does not hold.
    """
    _, *found = _HEAD.split(path.read_text("utf-8"))
    sections = list(zip(found[::3], found[1::3], found[2::3], strict=True))
    parts: dict[str, str] = {}
    named: list[tuple[str, str]] = []
    for kind, name, text in sections:
        whole = _HERE.sub(lambda here: parts[instead.get(here[1], here[1])], text).strip()
        if kind == "part":
            parts[name] = whole
        else:
            named.append((name, whole))
    names = [name for name, _ in named]
    if sorted(names) != sorted(into.__struct_fields__):
        raise ValueError(f"{path.name} holds the queries {names}, expected {list(into.__struct_fields__)}")
    return into(**dict(named))
