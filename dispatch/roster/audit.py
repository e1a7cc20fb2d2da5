"""What must stay known for good: who was left out of the calls for a household, by whom, when and why.

The stream `AUDIT` takes and keeps; nothing in it can be changed, deleted or purged.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.errors import Unavailable
from dispatch.events import AUDIT, direct_get
from dispatch.identifiers import HouseholdId, PersonId, Site, token

ACKNOWLEDGED_SECONDS = 2.0
_BATCH = 256


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """`person` was to be left out for `household`, or let in again."""

    what: Literal["left_out", "let_in"]
    household: HouseholdId
    person: PersonId
    by: str
    at: datetime
    reason: str


class Audit:
    """The trail of one site."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._nc, self._site = nc, Site(site)

    async def write(self, entry: Audited) -> None:
        """Keep `entry`, durably. Raises `Unavailable` when no acknowledgement came."""
        subject = f"audit.{self._site}.{token(entry.household, 'household')}"
        try:
            await self._nc.jetstream().publish(subject, msgspec.json.encode(entry), timeout=ACKNOWLEDGED_SECONDS)
        except (NatsError, TimeoutError) as error:
            raise Unavailable(f"the audit trail did not acknowledge it: {error!r}; nothing was changed") from error

    async def read(self, household: HouseholdId | None = None) -> AsyncIterator[Audited]:
        """Every entry, oldest first; of one household where it is given. Raises `Unavailable`."""
        whose = token(household, "household") if household is not None else "*"
        start = 1
        while True:
            page = await direct_get(
                self._nc, AUDIT, {"seq": start, "next_by_subj": f"audit.{self._site}.{whose}", "batch": _BATCH}
            )
            for message in page:
                yield msgspec.json.decode(message.data, type=Audited)
            if len(page) < _BATCH:
                return
            start = int((page[-1].headers or {})["Nats-Sequence"]) + 1
