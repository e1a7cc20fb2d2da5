"""Roster look-up: the call list of a household while the roster grows."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from nats.aio.client import Client
from rich.progress import track

from bench.figures import Measured
from bench.loading import Message, grown, silence
from bench.results import Growth, sizes_up_to
from bench.scene import POSTS, RESPONDERS, SECRET, console
from dispatch.clock import now
from dispatch.events import ROSTER, last_of_each
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId, PostId, Site
from dispatch.roster import Area, Document, Duty, Group, Household, Person, Post, Roster, WebhookPoint, call_list
from dispatch.roster.entries import encode, key_of

SITE = Site("bench")
COUNTY = AreaId("c-bench")
HOUSEHOLDS_OF_A_GROUP = 10
HOUSEHOLDS_OF_A_VILLAGE = 500
VILLAGES_OF_A_TOWNSHIP = 20
SMALLEST = 1000
WITHIN = 1.3
_WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)
WARM_UP = 100


async def compare(households: int, times: int, seconds: float) -> Growth:
    """From 1,000 households on, ten times as many each time, up to `households`; `times` call lists at each size.

    The first ones are those after a silence of so many `seconds`.
    The sizes take turns, so that a busy moment of the machine hits all alike.
    """
    sizes = sizes_up_to(households, smallest=SMALLEST)
    direct: list[list[float]] = [[] for _ in sizes]
    listed: list[list[float]] = [[] for _ in sizes]
    async with grown(sizes, lambda size: map(_message, county(size)), "households") as clients:
        rosters, chance = [Roster(nc, SITE) for nc in clients], random.Random(households)
        for number in track(range(times + WARM_UP), description="call lists", console=console, transient=True):
            if number == WARM_UP:
                await silence(seconds)
            for place, size in enumerate(sizes):
                one, other = (home(chance.randrange(size)) for _ in range(2))
                got, called = await _get(clients[place], one), await _list(rosters[place], other)
                if number >= WARM_UP:
                    direct[place].append(got)
                    listed[place].append(called)
    return Growth(
        title=f"roster look-up: the call list of {RESPONDERS} for one household",
        of="households",
        sizes=sizes,
        ours=[Measured("call list, in three round trips", took) for took in listed],
        bare=[Measured("one direct get", took) for took in direct],
        within=WITHIN,
        facts={"seconds_of_silence_before": seconds},
    )


async def _get(nc: Client, household: HouseholdId) -> float:
    """Milliseconds of the bare read of a household's document."""
    began = time.perf_counter_ns()
    found = await last_of_each(nc, f"KV_{ROSTER}", [f"$KV.{ROSTER}.{SITE}.household.{household}"])
    took = time.perf_counter_ns() - began
    assert len(found) == 1
    return took / 1e6


async def _list(roster: Roster, household: HouseholdId) -> float:
    began = time.perf_counter_ns()
    found = await call_list(roster, household, now())
    took = time.perf_counter_ns() - began
    assert (len(found.called), found.gaps) == (RESPONDERS, ())
    return took / 1e6


def home(number: int) -> HouseholdId:
    return HouseholdId(f"h{number:07d}")


def county(households: int) -> Iterator[Document]:
    """The documents of so many households and of all that comes with them, in the order of an import."""
    numbers = range(households)
    villages = range(-(-households // HOUSEHOLDS_OF_A_VILLAGE))
    yield Area(id=COUNTY, name="基准县", kind="county")
    for number in villages:
        if number % VILLAGES_OF_A_TOWNSHIP == 0:
            yield Area(id=_township(number), name="基准乡", kind="township", parent=COUNTY)
        yield Area(id=_village(number), name="基准村", kind="village", parent=_township(number))
    for number in villages:
        yield from (_person(PersonId(f"{_village(number)}-{role}")) for role in POSTS)
    yield from (_person(PersonId(f"p-{home(number)}")) for number in numbers)
    for number in villages:
        village = _village(number)
        for role in POSTS:
            name = f"{village}-{role}"
            yield Post(id=PostId(name), area=village, role=role, name=role, duty=(Duty(person=PersonId(name)),))
    yield from (_group(number) for number in numbers[::HOUSEHOLDS_OF_A_GROUP])
    for number in numbers:
        village = _village(number // HOUSEHOLDS_OF_A_VILLAGE)
        yield Household(id=home(number), name="基准户", address="1 号", area=village, group=_group_id(number))


def _group(number: int) -> Group:
    """The one that begins with household `number`: one of each of its households is bound into it."""
    members = tuple(PersonId(f"p-{home(number + place)}") for place in range(HOUSEHOLDS_OF_A_GROUP))
    area = _village(number // HOUSEHOLDS_OF_A_VILLAGE)
    return Group(id=_group_id(number), name="基准组", area=area, members=members, leader=members[0])


def _group_id(number: int) -> GroupId:
    return GroupId(f"g{number // HOUSEHOLDS_OF_A_GROUP:06d}")


def _village(number: int) -> AreaId:
    return AreaId(f"v{number:05d}")


def _township(village: int) -> AreaId:
    return AreaId(f"t{village // VILLAGES_OF_A_TOWNSHIP:04d}")


def _person(name: PersonId) -> Person:
    point = WebhookPoint(url=f"http://127.0.0.1/{name}", secret=SECRET)
    return Person(id=name, name="张三", phone="+8613800000000", contact_points=(point,))


def _message(document: Document) -> Message:
    return f"$KV.{ROSTER}.{SITE}.{key_of(document)}", encode(document, "bench", _WRITTEN), None
