"""The drills of a site: which households, since when and until when, in the bucket `DRILLS`."""

from __future__ import annotations

from datetime import datetime

import msgspec
from nats.aio.client import Client

from dispatch.access import Bucket
from dispatch.errors import NotFound
from dispatch.events import DRILLS, Gap, Kind, Moment
from dispatch.identifiers import TOKEN, AreaId, CaseId, HouseholdId, PressId, Site, case_id_for

DEVICE = "drill:"


class Drill(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A drill of `households`, begun `at` by somebody, over at `until`.

    `escalate`: its cases take every step of their policy, also those that call other groups, villages, the station,
    the command centre and 110. `areas` are those to which all its households belong. `left_out` is who was chosen and
    could not take part, and why.
    """

    id: str
    by: str
    at: Moment
    until: Moment
    kind: Kind
    households: tuple[HouseholdId, ...]
    areas: tuple[AreaId, ...] = ()
    escalate: bool = False
    left_out: tuple[Gap, ...] = ()

    def is_over(self, at: datetime) -> bool:
        return at >= self.until


def case_of(drill: str, household: HouseholdId) -> CaseId:
    """The case that the drill opens for `household`, if it opens one."""
    return case_id_for(household, PressId(drill))


def drill_of_device(device: str) -> str | None:
    """The drill whose press this is, by what stands as its device; None for any other press."""
    return device.removeprefix(DEVICE) if device.startswith(DEVICE) else None


class DrillBook:
    """The drills of one site. Every method raises `Unavailable` when the server does not answer."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._bucket, self._site = Bucket(nc, DRILLS), Site(site)

    async def get(self, drill: str) -> Drill | None:
        """The drill, or None when there is none."""
        value = await self._bucket.get(self._key(drill)) if TOKEN.fullmatch(drill) else None
        return msgspec.json.decode(value, type=Drill) if value is not None else None

    async def require(self, drill: str) -> Drill:
        """The drill. Raises `NotFound` when there is none."""
        if (found := await self.get(drill)) is None:
            raise NotFound(f"there is no drill {drill[:80]!r}; `dispatch drill list` shows those there are", field="id")
        return found

    async def begin(self, drill: Drill) -> Drill:
        """Write it down; the drill of that id that is there already, if there is one."""
        created = await self._bucket.create(self._key(drill.id), msgspec.json.encode(drill))
        return drill if created else await self.require(drill.id)

    async def end(self, drill: Drill, at: datetime) -> Drill:
        """Have it over by `at` at the latest: its cases are closed by the fan-out."""
        ended = msgspec.structs.replace(drill, until=min(drill.until, at))
        await self._bucket.put(self._key(drill.id), msgspec.json.encode(ended))
        return ended

    async def all(self) -> list[Drill]:
        """Every drill there was, newest first."""
        held = self._bucket.items(f"{self._site}.>")
        found = [msgspec.json.decode(value, type=Drill) async for _, value in held]
        return sorted(found, key=lambda drill: drill.at, reverse=True)

    def _key(self, drill: str) -> str:
        return f"{self._site}.{drill}"
