"""What this package needs of the rest of the system. `dispatch.app` puts it together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from nats.aio.client import Client

from dispatch.access import Keys, Links, Tokens
from dispatch.cases import CaseDesk
from dispatch.drills import DrillBook
from dispatch.events import CaseLog, DlqDesk, Press
from dispatch.identifiers import AreaId, CaseId, GroupId, HouseholdId, PersonId, PressId
from dispatch.roster import Roster
from dispatch.settings import Settings

Row = Mapping[str, Any]


class Accepted(Protocol):
    """A press that JetStream has acknowledged."""

    @property
    def press(self) -> PressId: ...
    @property
    def household(self) -> HouseholdId: ...
    @property
    def accepted_at(self) -> datetime: ...
    @property
    def duplicate(self) -> bool: ...


Accept = Callable[[Press], Awaitable[Accepted]]
"""Stores a press durably. Raises `TooFrequent` or `Unavailable`."""


class Reports(Protocol):
    """Figures over the cases accepted in [since, until), `area` and all below it; see docs/LATENCY.md.

    `zone` is the time zone in which days, weeks, months and hours are counted; of rows at most `limit` come, the
    largest first. Every method raises `Unavailable` while Postgres is away.
    """

    async def response(
        self,
        *,
        by: str,
        since: datetime,
        until: datetime,
        as_of: datetime,
        zone: str,
        area: AreaId | None = None,
        kind: str | None = None,
        group: GroupId | None = None,
        responder: PersonId | None = None,
        limit: int,
    ) -> Sequence[Row]:
        """How fast help came, by `total`, `area`, `kind`, `target`, `group`, `day`, `week` or `month`."""

    async def drills(
        self,
        *,
        since: datetime,
        until: datetime,
        area: AreaId | None = None,
        kind: str | None = None,
        group: GroupId | None = None,
        responder: PersonId | None = None,
    ) -> int:
        """How many drills there were, which no figure counts."""

    async def workload(
        self,
        *,
        by: str,
        since: datetime,
        until: datetime,
        area: AreaId | None = None,
        kind: str | None = None,
        group: GroupId | None = None,
        responder: PersonId | None = None,
        officers: bool | None = None,
        nobody: bool = True,
        limit: int,
    ) -> Sequence[Row]:
        """What those who were called did, by `responder`, `group` or `area`; that of `nobody` under the key ""."""

    async def called(
        self,
        *,
        by: str,
        since: datetime,
        until: datetime,
        area: AreaId | None = None,
        officers: bool | None = None,
    ) -> int:
        """How many rows a workload would have, but for that of nobody."""

    async def hot_spots(
        self,
        *,
        since: datetime,
        until: datetime,
        zone: str,
        area: AreaId | None = None,
        kind: str | None = None,
        limit: int,
    ) -> Mapping[str, Sequence[Row]]:
        """Where and when cases come together: `hours`, `areas` and `spots`."""


class ReadModels(Protocol):
    """What Postgres knows. Every method raises `Unavailable` while it is away."""

    @property
    def reports(self) -> Reports: ...

    async def list_cases(
        self, *, status: str, area: AreaId | None, kind: str | None, limit: int, before: str | None
    ) -> tuple[Sequence[Row], str | None]:
        """A page of the board, newest first, and where the next page begins (`before`), None at the end."""

    async def timeline(self, case: CaseId) -> Sequence[Row]:
        """What happened on the case, oldest first."""

    async def calls(self, case: CaseId) -> Sequence[Row]:
        """Each call of the case with its outcome."""

    async def latency(
        self, *, area: AreaId | None, since: datetime | None, until: datetime | None, limit: int
    ) -> Mapping[str, Any]:
        """`{"cases": […], "summary": {…}}`: response times in seconds; drills are left out of the summary."""

    async def proofs(self, people: Collection[PersonId]) -> Mapping[PersonId, datetime]:
        """When each of `people` was last reached, who ever was."""

    async def wait_for(self, seq: int, timeout: float) -> bool:  # noqa: ASYNC109  (seconds, a contract of ours)
        """Whether the read models reached the log's sequence `seq` within `timeout` seconds."""

    async def open_cases(self) -> tuple[Sequence[CaseId], int]:
        """The cases that are open, and the log's sequence up to which that is known."""


@dataclass(frozen=True, kw_only=True)
class WebDeps:
    """What `dispatch.app` gives the web."""

    settings: Settings
    nc: Client
    desk: CaseDesk
    log: CaseLog
    roster: Roster
    tokens: Tokens
    keys: Keys
    links: Links
    accept: Accept
    read_models: ReadModels
    dlq: DlqDesk
    drills: DrillBook
