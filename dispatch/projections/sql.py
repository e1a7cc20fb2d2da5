"""Named queries: each stands in a `.sql` file beside its module, under `-- name: …` and a line of purpose."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

Queries = TypeVar("Queries", bound=msgspec.Struct)

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load(path: Path, into: type[Queries]) -> Queries:
    """The queries in the file at `path`, one for each field of `into`.

    Raises `ValueError` when the file holds others than `into` names.
    """
    _, *parts = _NAME.split(path.read_text("utf-8"))
    queries = {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}
    if sorted(queries) != sorted(into.__struct_fields__) or len(queries) * 2 != len(parts):
        raise ValueError(f"{path.name} holds the queries {parts[::2]}, expected {list(into.__struct_fields__)}")
    return into(**queries)
