"""Building read models anew beside the live ones, while alarms go on, and putting them in their place.

The tables are built in a schema of their own: most of the log by COPY (`part.py`), what that leaves over and what has
come since by the live read model's own statements. Then the live runner is held for some milliseconds while these
tables are brought to where it stands, so that both can be compared; and once more, for the switch. Only Postgres is
written to, and the DLQ; nobody is called. Whatever goes wrong before the switch, the live tables are as they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from time import monotonic
from typing import Literal, TypeVar

import asyncpg
import msgspec
import structlog
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from dispatch.errors import DispatchError, Malformed, Refused, Unavailable
from dispatch.events import CASES, CaseLog, all_cases
from dispatch.identifiers import CaseId, Site
from dispatch.projections import checkpoints
from dispatch.projections.checkpoints import Checkpoint
from dispatch.projections.copying import target_of
from dispatch.projections.lane import AWAY, Apart, Lane
from dispatch.projections.late import write_late
from dispatch.projections.models import all_projections
from dispatch.projections.part import Done, Part
from dispatch.projections.parts import load_all, parts_of
from dispatch.projections.projection import Projection
from dispatch.projections.shadow import CONNECT_SECONDS, Difference, Shadow
from dispatch.projections.writer import connect

log = structlog.get_logger()

Result = TypeVar("Result")
Phase = Literal["loading", "indexing", "late", "following", "comparing", "switching"]
TRIES, PAUSE = 20, 0.25
IN_THE_WAY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
ADVICE = "What was not switched yet is as it was in the live tables; run `dispatch rebuild` again, it begins anew."


class Progress(msgspec.Struct, kw_only=True):
    """How far a rebuild is: of `total` messages of the log `messages` are done, with `events` of this site."""

    phase: Phase = "loading"
    messages: int = 0
    total: int = 0
    events: int = 0
    late: int = 0
    began: float = 0.0


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What differs in the tables of a read model. `because` says why it cannot be compared, if it cannot."""

    projection: str
    seq: int
    differences: tuple[Difference, ...] = ()
    because: str | None = None

    @property
    def rows(self) -> int:
        return sum(difference.rows for difference in self.differences)


class Rebuild:
    """A rebuild under way; see `rebuilding`."""

    def __init__(
        self,
        nc: Client,
        whole: Part,
        projections: Sequence[Projection],
        shadow: Shadow,
        *,
        told: Callable[[Progress], None],
        processes: int | None,
    ) -> None:
        self._nc, self._whole, self._projections, self._shadow = nc, whole, projections, shadow
        self._told, self._processes = told, processes
        self._late: dict[CaseId, None] = {}
        self.progress = Progress()

    @property
    def names(self) -> list[str]:
        return [projection.name for projection in self._projections]

    async def build(self) -> None:
        """Read the log and bring the tables beside the live ones to its end. Raises `Unavailable` and `Refused`."""
        await self._shadow.make(self._projections)
        newest = await self._newest()
        self._whole = msgspec.structs.replace(self._whole, schema=self._shadow.schema, until=newest.seq)
        self.progress = Progress(total=newest.seq, began=monotonic())
        copied = [one for one in self._projections if target_of(one) is not None] if newest.seq else []
        if copied:
            parts = parts_of(
                msgspec.structs.replace(self._whole, projections=tuple(one.name for one in copied)), self._processes
            )
            await load_all(parts, self._done, copied)
        self._say("indexing")
        await self._shadow.index(self._projections, self._whole.dsn)
        self._say("late")
        await write_late(self._nc, self._whole, [*self._late], copied)
        await self._place(copied, newest)
        self._say("following")
        await self._follow()

    async def compare(self) -> list[Compared]:
        """What the rebuilt tables say otherwise than the live ones, both at the same commit of the log."""
        self._say("comparing")
        return [await self._compare(projection) for projection in self._projections]

    async def switch(self) -> None:
        """Put the rebuilt tables in the place of the live ones, each read model in one transaction."""
        self._say("switching")
        for projection in self._projections:
            await self._follow([projection])
            await _patiently(partial(self._switch, projection))
            log.info("rebuild.switched", projection=projection.name)

    def _done(self, done: Done) -> None:
        self.progress.messages += done.messages
        self.progress.events += done.events
        self._late |= dict.fromkeys(done.late)
        self.progress.late = len(self._late)
        self._told(self.progress)

    def _say(self, phase: Phase) -> None:
        self.progress.phase = phase
        self._told(self.progress)

    async def _newest(self) -> Checkpoint:
        """The newest commit of this site."""
        created = await checkpoints.stream_created(self._nc)
        try:
            found = await self._nc.jetstream().get_last_msg(CASES, all_cases(self._whole.site))
        except NotFoundError:
            return Checkpoint(stream_created=created, seq=0, commit_id="")
        commit = (found.headers or {}).get("ce-id", "")
        return Checkpoint(stream_created=created, seq=int(found.seq or 0), commit_id=commit)

    async def _place(self, projections: Sequence[Projection], at: Checkpoint) -> None:
        connection = await connect(self._whole.dsn, "rebuild", self._shadow.schema)
        try:
            for projection in projections:
                await checkpoints.place(connection, self._whole.site, projection.name, at)
        finally:
            await connection.close()

    async def _at(self, projection: Projection) -> Checkpoint:
        """How far the rebuilt read model is."""
        connection = await connect(self._whole.dsn, "rebuild", self._shadow.schema)
        try:
            created = await checkpoints.stream_created(self._nc)
            return await checkpoints.begin(connection, self._whole.site, projection.name, created)
        finally:
            await connection.close()

    async def _follow(self, projections: Sequence[Projection] = (), until: int | None = None) -> None:
        """Bring the rebuilt read models to the commit at sequence `until`, the newest if not given."""
        if until is None:
            until = (await self._newest()).seq
        lanes = [projections or self._projections]
        while lanes:
            lane = lanes.pop()
            try:
                await Lane(
                    self._nc,
                    CaseLog(self._nc, self._whole.site),
                    self._whole.dsn,
                    lane,
                    schema=self._shadow.schema,
                    until=until,
                ).run()
            except Apart as apart:
                if apart.cause is not None:
                    names = ", ".join(one.name for one in apart.projections)
                    raise Refused(f"the read model {names} cannot be built: {apart.cause}") from apart.cause
                lanes += [apart.projections, [one for one in lane if one not in apart.projections]]

    async def _compare(self, projection: Projection) -> Compared:
        await self._follow([projection])
        for _ in range(TRIES):
            found = await _patiently(partial(self._compare_at_one_place, projection))
            if found is not None:
                return found
            await asyncio.sleep(PAUSE)
        because = "the live read model is behind the rebuilt one, and does not come nearer"
        return Compared(projection=projection.name, seq=(await self._at(projection)).seq, because=because)

    async def _compare_at_one_place(self, projection: Projection) -> Compared | None:
        """None while the live read model has not come to where the rebuilt one is already."""
        snapshot = await asyncpg.connect(self._whole.dsn, timeout=CONNECT_SECONDS)
        try:
            async with snapshot.transaction(isolation="repeatable_read", readonly=True):
                async with self._shadow.held(projection) as live:
                    if live is None or live.seq == 0:
                        because = "the live read model has read nothing yet"
                        return Compared(projection=projection.name, seq=0, because=because)
                    await self._follow([projection], live.seq)
                    rebuilt = await self._at(projection)
                    await snapshot.execute("select")  # from here on it sees both as they are now
                if rebuilt.stream_created != live.stream_created:
                    because = "the live read model was made from another log"
                    return Compared(projection=projection.name, seq=rebuilt.seq, because=because)
                if rebuilt.seq != live.seq:
                    return None
                found = await self._shadow.compare(snapshot, projection)
                return Compared(projection=projection.name, seq=live.seq, differences=tuple(found))
        finally:
            await snapshot.close()

    async def _switch(self, projection: Projection) -> None:
        async with self._shadow.held(projection) as live:
            if live is not None:
                await self._follow([projection], live.seq)
            await self._shadow.switch(projection, await self._at(projection))


async def _patiently(act: Callable[[], Awaitable[Result]]) -> Result:
    """Do `act`, again while somebody holds the tables for long. Raises `Unavailable` after some tries."""
    for _ in range(TRIES):
        try:
            return await act()
        except IN_THE_WAY as error:
            log.info("rebuild.waiting", reason=str(error))
            await asyncio.sleep(PAUSE)
    raise Unavailable(f"the live tables were in use for {TRIES} tries on end. {ADVICE}")


@asynccontextmanager
async def rebuilding(
    nc: Client,
    nats_url: str,
    dsn: str,
    site: Site | str,
    names: Sequence[str] = (),
    *,
    told: Callable[[Progress], None] = lambda _: None,
    projections: Sequence[Projection] | None = None,
    processes: int | None = None,
) -> AsyncIterator[Rebuild]:
    """A rebuild of the read models `names` of `site`, all when none is given; `told` hears how far it is.

    Raises `Malformed` for a name that is no read model, `Refused` when this site is being rebuilt already or a read
    model cannot be built, `Unavailable` when Postgres or NATS does not answer or goes away.
    """
    chosen = projections_named(names, projections or all_projections())
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Unavailable(f"Postgres does not answer: {str(error) or type(error).__name__}") from error
    whole = Part(nats_url=nats_url, dsn=dsn, site=Site(site), schema="", projections=(), after=0, until=0)
    shadow = Shadow(connection, whole.site)
    try:
        await shadow.require_alone()
        try:
            yield Rebuild(nc, whole, chosen, shadow, told=told, processes=processes)
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await shadow.drop()
    except DispatchError:
        raise
    except (*AWAY, OSError, TimeoutError) as error:
        raise Unavailable(f"Postgres or NATS went away: {error!r}. {ADVICE}") from error
    except asyncpg.PostgresError as error:
        detail = getattr(error, "detail", None)
        raise Refused(f"Postgres refuses it: {error}{f' ({detail})' if detail else ''}. {ADVICE}") from error
    finally:
        connection.terminate()


async def rebuild(
    nc: Client,
    nats_url: str,
    dsn: str,
    site: Site | str,
    names: Sequence[str] = (),
    *,
    projections: Sequence[Projection] | None = None,
    processes: int | None = None,
) -> list[str]:
    """Build read models anew and put them in the place of the live ones; gives their names. See `rebuilding`."""
    async with rebuilding(nc, nats_url, dsn, site, names, projections=projections, processes=processes) as under_way:
        await under_way.build()
        await under_way.switch()
        return under_way.names


def projections_named(names: Sequence[str], projections: Sequence[Projection]) -> list[Projection]:
    """Those of `projections` with one of `names`, all when none is given. Raises `Malformed` for any other name."""
    known = {projection.name: projection for projection in projections}
    for name in names:
        if name not in known:
            raise Malformed(f"there is no read model {name!r}; there are {', '.join(known)}", field="projection")
    return [known[name] for name in names or known]
