"""Where the benchmarks play: a running system, a county of households, and a receiver of calls."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console

from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId, PostId
from dispatch.roster import Area, Duty, Group, Household, Person, Post, WebhookPoint
from tests.system import System, free_port, until

RESPONDERS = 13
"""Ten bound numbers, the police assistant, the auxiliary officer and the community police officer."""

SECRET = "whsec_" + "YmVuY2htYXJrIHNlY3JldCBvZiAyNCBieXRlcw=="
POSTS = ("police_assistant", "auxiliary_officer", "community_police_officer")
console = Console(stderr=True)


@dataclass(frozen=True)
class Scene:
    """A running system and the address of the process that takes its calls."""

    system: System
    receiver: str
    households: list[HouseholdId]

    async def arrivals(self) -> dict[str, list[tuple[str, int]]]:
        """What has arrived since the last time: by path, webhook ids and monotonic nanoseconds."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.receiver}/arrivals") as answer:
            return msgspec.json.decode(await answer.read(), type=dict[str, list[tuple[str, int]]])


@asynccontextmanager
async def receiving() -> AsyncIterator[str]:
    """A receiver process; yields its URL."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.receiver", str(port))
    url = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{url}/arrivals") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await until(answers, "the receiver to answer")
        yield url
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def scene(households: int) -> AsyncIterator[Scene]:
    """A fresh system with `households` households, each with a full group whose calls go to the receiver."""
    with tempfile.TemporaryDirectory(prefix="dispatch-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - once, before anything runs; the database's own user must get through
        console.print("[dim]starting a fresh system …")
        async with receiving() as receiver, System(Path(folder, "data"), demo=False) as system:
            console.print(f"[dim]writing a roster of {households} households …")
            ids = await write_roster(system, receiver, households)
            yield Scene(system, receiver, ids)


async def write_roster(system: System, receiver: str, households: int) -> list[HouseholdId]:
    """One village; each household has a group of ten of its own, and three posts serve all."""
    village = AreaId("v-bench")
    put = system.roster.put
    await put(Area(id=village, name="基准村", kind="village"), by="bench")
    for role in POSTS:
        await put(_person(f"post-{role}", receiver), by="bench")
        duty = (Duty(person=PersonId(f"post-{role}")),)
        await put(Post(id=PostId(role), area=village, role=role, name=role, duty=duty), by="bench")  # type: ignore[arg-type]
    ids = [HouseholdId(f"h{number:05d}") for number in range(households)]
    for household in ids:
        await asyncio.gather(*(put(document, by="bench") for document in _household(household, village, receiver)))
    return ids


def _household(household: HouseholdId, village: AreaId, receiver: str) -> list[Household | Group | Person]:
    members = [_person(f"{household}-m{n}", receiver) for n in range(RESPONDERS - len(POSTS))]
    group = GroupId(f"g-{household}")
    ids = tuple(person.id for person in members)
    return [
        Household(id=household, name="基准户", address="1 号", area=village, group=group),
        Group(id=group, name="基准组", area=village, members=ids, leader=ids[0]),
        *members,
    ]


def _person(name: str, receiver: str) -> Person:
    point = WebhookPoint(url=f"{receiver}/{name}", secret=SECRET)
    return Person(id=PersonId(name), name=name, contact_points=(point,))
