"""The drills of a site: which households, since when and until when, in the bucket `DRILLS`."""

from __future__ import annotations

from datetime import datetime

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from dispatch.errors import NotFound, Unavailable
from dispatch.events import DRILLS, Gap, Kind, Moment, latest
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
        self._nc, self._js, self._site = nc, nc.jetstream(timeout=2.0), Site(site)

    async def get(self, drill: str) -> Drill | None:
        """The drill, or None when there is none."""
        if not TOKEN.fullmatch(drill):
            return None
        try:
            entry = await (await self._bucket()).get(f"{self._site}.{drill}")
        except NotFoundError:
            return None
        except (NatsError, APIError, TimeoutError) as error:
            raise _away(error) from error
        return msgspec.json.decode(entry.value or b"", type=Drill)

    async def require(self, drill: str) -> Drill:
        """The drill. Raises `NotFound` when there is none."""
        if (found := await self.get(drill)) is None:
            raise NotFound(f"there is no drill {drill[:80]!r}; `dispatch drill list` shows those there are", field="id")
        return found

    async def begin(self, drill: Drill) -> Drill:
        """Write it down; the drill of that id that is there already, if there is one."""
        try:
            await (await self._bucket()).create(f"{self._site}.{drill.id}", msgspec.json.encode(drill))
        except KeyWrongLastSequenceError:
            return await self.require(drill.id)
        except (NatsError, APIError, TimeoutError) as error:
            raise _away(error) from error
        return drill

    async def end(self, drill: Drill, at: datetime) -> Drill:
        """Have it over by `at` at the latest: its cases are closed by the fan-out."""
        ended = msgspec.structs.replace(drill, until=min(drill.until, at))
        try:
            await (await self._bucket()).put(f"{self._site}.{drill.id}", msgspec.json.encode(ended))
        except (NatsError, APIError, TimeoutError) as error:
            raise _away(error) from error
        return ended

    async def all(self) -> list[Drill]:
        """Every drill there was, newest first."""
        held = latest(self._nc, DRILLS, f"{self._site}.>")
        found = [msgspec.json.decode(message.data, type=Drill) async for _, message in held]
        return sorted(found, key=lambda drill: drill.at, reverse=True)

    async def _bucket(self) -> KeyValue:
        return await self._js.key_value(DRILLS)


def _away(error: Exception) -> Unavailable:
    return Unavailable(f"the book of drills does not answer: {error!r}")
