"""Whether an area has few of the cases, which decides how its calls are found: by its cases, or by reading them all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from dispatch.identifiers import AreaId
from dispatch.projections.reader import Reader
from dispatch.projections.sql import load


class FewQueries(msgspec.Struct, frozen=True, kw_only=True):
    few: str


queries = load(Path(__file__).with_suffix(".sql"), FewQueries)


async def has_few(reader: Reader, area: AreaId | None, since: datetime | None, until: datetime | None) -> bool:
    """Whether `area` seems to have few of the cases accepted in [since, until). Raises as `Reader.fetch` does.

    No figure depends on it.
    """
    if area is None:
        return False
    [[few]] = await reader.values(queries.few, area, since, until)
    return bool(few)
