"""Rows into a table by COPY, where a read model's `write` would only insert them.

For a table that begins empty and gets every row once, as in a rebuild, `insert … on conflict …` is an insert, and COPY
does that 20 times as fast. A `write` that is anything else than the usual statement is not understood here: then a
rebuild goes the way of the live read model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import asyncpg
import msgspec

from dispatch.projections.projection import Projection

_WRITE = re.compile(
    r"insert into (?P<table>\w+) \((?P<columns>[\w\s,]+)\)\s+select\s+(?P<selected>[\w\s,]+?)\s+"
    r"from json_populate_recordset\(null::(?P<shape>\w+), \$1::json\)"
)
_NAMED = re.compile(r"delete from (\w+)")
_encoder = msgspec.json.Encoder()
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Since when Postgres counts the microseconds: POSTGRES_EPOCH_JDATE, src/include/datatype/timestamp.h."""
MOMENTS = 40_000
"""Times that are remembered; there are about 40 in a case, and every table says them."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The one table that a read model's rows go to, and the columns that its statement fills."""

    table: str
    columns: tuple[str, ...]

    def records(self, rows: Sequence[msgspec.Struct]) -> Iterable[tuple[Any, ...]]:
        """`rows` as tuples of the columns."""
        taken: Callable[[Any], tuple[Any, ...]] = msgspec.structs.astuple
        if rows and rows[0].__struct_fields__ != self.columns:
            taken = attrgetter(*self.columns)
        return map(taken, rows)


def tables_of(projection: Projection) -> list[str]:
    """The tables of a read model: those that its `clear` empties."""
    return sorted(set(_NAMED.findall(projection.queries.clear)))


def target_of(projection: Projection) -> Target | None:
    """Where the rows of `projection` can be copied to, or None when its `write` does more than insert or replace."""
    write = projection.queries.write
    found = _WRITE.search(write)
    if found is None or write.count("insert into") != 1 or tables_of(projection) != [found["table"]]:
        return None
    columns, selected = _names(found["columns"]), _names(found["selected"])
    if columns != selected or found["shape"] != found["table"] or len(columns) < 2:
        return None
    return Target(table=found["table"], columns=columns)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(","))


async def take_rows(connection: asyncpg.Connection) -> None:
    """Have `connection` take whatever msgspec can write as the value of a `jsonb` column, and take times faster."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_as_jsonb, decoder=_from_jsonb, format="binary"
    )
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_moments.__getitem__, decoder=_from_moment, format="binary"
    )


def _as_jsonb(value: object) -> bytes:
    # The first byte is the version of the format: jsonb_recv, src/backend/utils/adt/jsonb.c of PostgreSQL 18.
    return b"\x01" + _encoder.encode(value)


def _from_jsonb(value: bytes) -> Any:
    return msgspec.json.decode(value[1:])


class _Moments(dict[datetime, bytes]):
    """Times as `timestamptz` has them. The rows of a case say each about six times, and to write one takes long.

    Their zones are UTC or a fixed offset, as the log has them: of two hours that share a name one would be lost.
    """

    def __missing__(self, at: datetime) -> bytes:
        if len(self) >= MOMENTS:
            self.clear()
        since = at - _EPOCH
        microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        found = self[at] = microseconds.to_bytes(8, signed=True)
        return found


_moments = _Moments()


def _from_moment(value: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=int.from_bytes(value, signed=True))
