"""What the tests of the read models share: cases in a real log, a projector, and the sum of all rows."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from dispatch.cases import AddNote, Cancel, CaseDesk, Command, GiveAnswer, Plan, RaiseAlarm, RecordCalls, Resolve
from dispatch.events import CallOutcome, CaseLog, Kind, PlannedCall, Press, Reason, connect
from dispatch.identifiers import AreaId, CaseId, CommitId, GroupId, HouseholdId, PersonId, PressId, case_id_for
from dispatch.projections import Projector, all_projections

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TABLES = ("board", "timeline", "calls", "latency", "reachability", "responses")
PEOPLE = ("p-1", "p-2", "p-3")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def press_on(
    household: str,
    press: str = "b1",
    *,
    drill: bool = False,
    at: float = 0,
    kind: Kind = "fire",
    areas: Sequence[str] = ("village", "county"),
    target: int | None = None,
) -> RaiseAlarm:
    """A press 0.5 s before it was accepted, and 0.6 s before the case was decided on."""
    pressed = Press(
        press=PressId(press),
        household=HouseholdId(household),
        device="button-1",
        source="mqtt",
        pressed_at=after(at - 0.5),
        kind=kind,
        drill=drill,
    )
    plan = Plan(
        group=GroupId("g-1"),
        areas=tuple(map(AreaId, areas)),
        response_target_seconds=target,
        calls=tuple(
            PlannedCall(responder=PersonId(person), reasons=(Reason("member", "g-1"),), channels=("live", "webhook"))
            for person in PEOPLE
        ),
    )
    return RaiseAlarm(
        id=CommitId(f"raise-{press}"), at=after(at + 0.1), press=pressed, accepted_at=after(at), plan=plan
    )


def recorded(name: str, at: float, *outcomes: tuple[str, str, str]) -> RecordCalls:
    return RecordCalls(
        id=CommitId(name),
        at=after(at),
        outcomes=tuple(
            CallOutcome(step=0, responder=PersonId(person), channel=channel, outcome=outcome, at=after(at))  # type: ignore[arg-type]
            for person, channel, outcome in outcomes
        ),
    )


def answered(person: str, answer: str, at: float, eta: int | None = None) -> GiveAnswer:
    return GiveAnswer(
        id=CommitId(f"reply-{person}-{at}"),
        at=after(at),
        responder=PersonId(person),
        answer=answer,  # type: ignore[arg-type]
        via="page",
        eta_minutes=eta,
    )


def noted(name: str, at: float, text: str) -> AddNote:
    return AddNote(id=CommitId(name), at=after(at), author="operator:li", text=text)


def resolved(at: float) -> Resolve:
    return Resolve(id=CommitId("resolve"), at=after(at), by="operator:li", resolution="helped", text="好了")


def cancelled(at: float) -> Cancel:
    return Cancel(id=CommitId("cancel"), at=after(at), by="operator:li", reason="误报")


async def tell(log: CaseLog, household: str, *commands: Command, drill: bool = False) -> CaseId:
    """A case of `household` with these commands behind its press."""
    desk, opening = CaseDesk(log), press_on(household, drill=drill)
    case = case_id_for(opening.press.household, opening.press.press)
    for command in (opening, *commands):
        await desk.handle(case, command)
    return case


def some_commands(chance: random.Random) -> list[Command]:
    """What may happen on a case, in any order that chance gives."""
    commands: list[Command] = []
    for number in range(chance.randrange(3, 12)):
        person, at = chance.choice(PEOPLE), chance.uniform(1, 600)
        kind = chance.randrange(6)
        if kind <= 2:
            outcome = chance.choice(["unknown", "failed", "sent", "delivered", "seen"])
            commands.append(recorded(f"r{number}", at, (person, chance.choice(["live", "webhook"]), outcome)))
        elif kind <= 4:
            commands.append(
                answered(person, chance.choice(["going", "cannot", "on_scene"]), at, chance.choice([None, 5]))
            )
        else:
            commands.append(noted(f"n{number}", at, f"note {number}"))
    ending: list[Command] = [resolved(700), cancelled(700)]
    return commands + chance.sample(ending, chance.randrange(2))


async def fill(log: CaseLog, cases: int, seed: int = 1) -> list[CaseId]:
    """`cases` cases, written at the same time so that their commits are mixed in the log."""
    chance = random.Random(seed)
    stories = [(f"h-{number}", some_commands(chance)) for number in range(cases)]
    limit = asyncio.Semaphore(32)

    async def one(household: str, commands: list[Command]) -> CaseId:
        async with limit:
            return await tell(log, household, *commands)

    return list(await asyncio.gather(*(one(*story) for story in stories)))


@asynccontextmanager
async def projecting(projector: Projector) -> AsyncIterator[None]:
    task = asyncio.create_task(projector.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def sums(dsn: str, tables: tuple[str, ...] = TABLES) -> dict[str, tuple[int, str]]:
    """How many rows each table has, and the sum of all that they say."""
    connection = await asyncpg.connect(dsn)
    try:
        found = {}
        for table in tables:
            text = "coalesce(string_agg(t::text, '|' order by t::text), '')"
            [row] = await connection.fetch(f"select count(*), md5({text}) from {table} t")  # noqa: S608
            found[table] = (row[0], row[1])
        return found
    finally:
        await connection.close()


async def forget(dsn: str, site: str, *names: str) -> None:
    """Take rows and checkpoints of read models (all if none is named) away, as a migration that empties them does."""
    connection = await asyncpg.connect(dsn)
    try:
        for projection in all_projections():
            if not names or projection.name in names:
                await connection.execute("delete from checkpoints where projection = $1", projection.name)
                await connection.execute(projection.queries.clear, site)
    finally:
        await connection.close()


async def main(url: str, dsn: str, site: str) -> None:
    """A projector in a process of its own, with small batches: `python -m tests.projection_stories URL DSN SITE`."""
    nc = await connect(url, "project")
    await Projector(nc, CaseLog(nc, site), dsn, batch=8).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
