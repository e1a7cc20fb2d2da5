"""What was counted of months that are long over, kept until one of their cases changes.

The database notes every change of the latency of a case older than 35 days, in the transaction of the change
(`old_changes` in `migrations/`), and that is part of its state (`state` in `reports.sql`). Between two readings of the
same state none was committed: so what was counted between them is true for as long as the state stays the same. A
rebuild, a restart of Postgres and another database each make another state.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from dispatch.projections.reader import Row, Values

SETTLED = timedelta(days=40)
"""How long a month must be over: the 35 days, and what a transaction and the clocks may take."""
MOST = 5_000
"""Rows of a month that are kept, about 2 KB each: those of 400 areas and a year."""


class Span(msgspec.Struct, frozen=True):
    """The part of a month of the clocks of a zone that a period covers; `key` is the first day of that month."""

    key: str
    since: datetime
    until: datetime


def spans_of(since: datetime, until: datetime, zone: str) -> list[Span]:
    """The months that [since, until) covers, the first and the last of them perhaps in part."""
    clocks, spans = ZoneInfo(zone), list[Span]()
    at = since.astimezone(clocks)
    first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    while first < until:
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        spans.append(Span(f"{first:%Y-%m-%d}", max(since, first), min(until, after)))
        first = after
    return spans


class Remembered:
    """Rows of months by what was asked; None for a month without a case. Holds for one state of the database."""

    def __init__(self) -> None:
        self._state: Row | None = None
        self._rows: OrderedDict[Hashable, tuple[datetime, Values | None]] = OrderedDict()

    def known(
        self, state: Row, asked: Hashable, spans: Sequence[Span], as_of: datetime
    ) -> Mapping[Span, Values | None]:
        """The rows of those `spans` of which they are known as of `as_of`, or of a moment before it."""
        if self._state != state:
            self._state = state
            self._rows.clear()
        found = {}
        for span in spans:
            kept = self._rows.get((asked, span))
            if kept is not None and kept[0] <= as_of:
                found[span] = kept[1]
                self._rows.move_to_end((asked, span))
        return found

    def keep(self, state: Row, asked: Hashable, span: Span, as_of: datetime, row: Values | None) -> None:
        """Keep the row of `span`, which was counted while the state was `state` before and after."""
        if self._state == state:
            self._rows[asked, span] = (as_of, row)
            if len(self._rows) > MOST:
                self._rows.popitem(last=False)
