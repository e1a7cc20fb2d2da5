"""Where the benchmarks play: a running system, a county of households, and a receiver of calls."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
from nats.aio.client import Client
from rich.console import Console

from dispatch.embedded import EmbeddedNats, EmbeddedPostgres
from dispatch.events import Role, connect, ensure_streams
from dispatch.identifiers import AreaId, CaseId, GroupId, HouseholdId, PersonId, PostId, notification_id
from dispatch.migrate import migrate
from dispatch.roster import Area, Duty, Group, Household, Person, Post, WebhookPoint
from tests.system import System

RESPONDERS = 13
"""Ten bound numbers, the police assistant, the auxiliary officer and the community police officer."""

SECRET = "whsec_" + "YmVuY2htYXJrIHNlY3JldCBvZiAyNCBieXRlcw=="
POSTS: tuple[Role, ...] = ("police_assistant", "auxiliary_officer", "community_police_officer")
PROVIDERS = 4
FIRST = "-0"
"""How the `webhook-id` of a first ring ends."""
VILLAGE = AreaId("v-bench")
console = Console(stderr=True)


@dataclass(frozen=True)
class Scene:
    """A running system and the addresses of the process that takes its calls, each a provider."""

    system: System
    providers: list[str]
    households: list[HouseholdId]

    @property
    def receiver(self) -> str:
        """The one that is used where one is enough."""
        return self.providers[0]

    async def arrivals(self) -> dict[str, list[tuple[str, int]]]:
        """What has arrived since the last time: by path, webhook ids and monotonic nanoseconds."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.receiver}/arrivals") as answer:
            return msgspec.json.decode(await answer.read(), type=dict[str, list[tuple[str, int]]])


@asynccontextmanager
async def receiving() -> AsyncIterator[list[str]]:
    """A receiver process; yields its URLs, one for each provider."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.receiver", str(PROVIDERS), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        ports = (await process.stdout.readline()).decode().split()
        if len(ports) != PROVIDERS:
            raise RuntimeError(f"the receiver of calls did not begin: it ended with {await process.wait()}")
        yield [f"http://127.0.0.1:{port}" for port in ports]
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself, and what went wrong then is what is to be told
            process.terminate()
        await process.wait()


@contextmanager
def temporary_folder() -> Iterator[str]:
    """For servers; their own users get through to it."""
    with tempfile.TemporaryDirectory(prefix="dispatch-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - once, before anything runs
        yield folder


@asynccontextmanager
async def scene(households: int) -> AsyncIterator[Scene]:
    """A fresh system with `households` households, each with a full group whose calls go to the receiver."""
    with temporary_folder() as folder:
        console.print("[dim]starting a fresh system …")
        async with receiving() as providers, System(Path(folder, "data"), demo=False) as system:
            console.print(f"[dim]writing a roster of {households} households …")
            ids = await write_roster(system, providers[:1], households)
            yield Scene(system, providers, ids)


@asynccontextmanager
async def servers() -> AsyncIterator[tuple[str, str]]:
    """A fresh NATS with our streams and a fresh Postgres with our schema, and nothing that runs: their addresses."""
    with temporary_folder() as folder:
        async with EmbeddedNats(Path(folder)) as nats, EmbeddedPostgres(Path(folder)) as postgres:
            await migrate(postgres.dsn)
            nc = await connect(nats.url, "bench")
            await ensure_streams(nc.jetstream())
            await nc.close()
            yield nats.url, postgres.dsn


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    nc = await connect(url, "bench")
    try:
        yield nc
    finally:
        await nc.close()


async def write_roster(
    system: System, providers: Sequence[str], households: int, *, village: AreaId = VILLAGE, prefix: str = "h"
) -> list[HouseholdId]:
    """One village; each household has a group of ten of its own, and three posts serve all.

    The responders of a household are reached over one of `providers` after the other, the holders of posts last.
    """
    put = system.roster.put
    await put(Area(id=village, name="基准村", kind="village"), by="bench")
    for n, role in enumerate(POSTS, start=RESPONDERS - len(POSTS)):
        holder = post_holder(village, role)
        await put(_person(holder, providers[n % len(providers)]), by="bench")
        post = PostId(f"{village}-{role}")
        await put(Post(id=post, area=village, role=role, name=role, duty=(Duty(person=holder),)), by="bench")
    ids = [HouseholdId(f"{prefix}{number:05d}") for number in range(households)]
    for household in ids:
        await asyncio.gather(*(put(document, by="bench") for document in _household(household, village, providers)))
    return ids


def member(household: HouseholdId, number: int) -> PersonId:
    """The member of a household's group with this number, from 0."""
    return PersonId(f"{household}-m{number}")


def first_ring(case: CaseId, person: PersonId) -> str:
    """The `webhook-id` under which `person` is rung first for `case`."""
    return f"{notification_id(case, person)}{FIRST}"


def post_holder(village: AreaId, role: Role) -> PersonId:
    return PersonId(f"post-{village}-{role}")


def _household(household: HouseholdId, village: AreaId, providers: Sequence[str]) -> list[Household | Group | Person]:
    members = [_person(member(household, n), providers[n % len(providers)]) for n in range(RESPONDERS - len(POSTS))]
    group = GroupId(f"g-{household}")
    ids = tuple(person.id for person in members)
    return [
        Household(id=household, name="基准户", address="1 号", area=village, group=group),
        Group(id=group, name="基准组", area=village, members=ids, leader=ids[0]),
        *members,
    ]


def _person(name: PersonId, provider: str) -> Person:
    return Person(id=name, name=name, contact_points=(WebhookPoint(url=f"{provider}/{name}", secret=SECRET),))
