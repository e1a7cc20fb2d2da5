"""A storm: a thousand alarms at once, thirteen responders each, one of their four providers hanging."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice

import aiohttp

from bench.cpu import Cpu
from bench.figures import Goal, Measured, percentile
from bench.results import Comparison
from bench.scene import FIRST, POSTS, RESPONDERS, Scene, console, first_ring, member, post_holder, write_roster
from dispatch.cases import Case, CaseDesk
from dispatch.clock import now
from dispatch.events import CaseLog
from dispatch.identifiers import AreaId, CaseId, HouseholdId, PressId, case_id_for
from tests.waiting import until

GOAL = Goal(p50=4000, p99=4000, bare_p50=1400, bare_p99=1400)
BARE_AT_ONCE = 64
"""Tried from 13 to 13,000: with as many posts at once the same machine makes most of them a second."""
LOOK_SECONDS = 0.25
RECORDED_SECONDS = 120
"""By then every call to the provider that hangs has been given up."""


async def compare(scene: Scene, alarms: int) -> Comparison:
    """One alarm for each of `alarms` households, all at once. Fails when a ring is missing or arrives twice."""
    console.print(f"[dim]storm: writing a roster of {alarms} households …")
    households = await write_roster(scene.system, scene.providers, alarms, village=AreaId("v-storm"), prefix="s")
    bare = await _bare(scene, alarms * RESPONDERS)
    await _hang(scene.providers[-1])
    cpu = await Cpu.of(scene)
    storm = await _ours(scene, households)
    rung = cpu.used()
    desk = CaseDesk(CaseLog(scene.system.nc, scene.system.settings.site))
    outcomes = await _outcomes(desk, storm.cases)
    return Comparison(
        title=f"storm: {alarms} alarms at once, {RESPONDERS} calls each, 1 of {len(scene.providers)} providers hangs",
        bare=Measured(f"{alarms * RESPONDERS} bare posts", [bare]),
        ours=Measured("first POST /v1/alarms to last ring", [max(storm.rings)]),
        goal=GOAL,
        facts={
            "alarms": alarms,
            "calls": alarms * RESPONDERS,
            "last_accepted_ms": round(storm.accepted),
            "last_opened_ms": round(await storm.opened(desk)),
            "rings_p50_ms": round(percentile(storm.rings, 50)),
            "outcomes": dict(outcomes),
            "cpu_seconds_until_last_ring": rung,
            "cpu_seconds_until_last_outcome": cpu.used(),
        },
    )


async def _bare(scene: Scene, posts: int) -> float:
    """Milliseconds until the last of `posts` bare posts has arrived, spread over all providers."""
    await scene.arrivals()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def post(provider: str) -> None:
            async with http.post(f"{provider}/bare", data=b"{}", headers={"webhook-id": "bare"}) as answer:
                await answer.read()

        left = islice(cycle(scene.providers), posts)

        async def work() -> None:
            for provider in left:
                await post(provider)

        started = time.monotonic_ns()
        await asyncio.gather(*(work() for _ in range(BARE_AT_ONCE)))
    arrived = [at for _, at in (await scene.arrivals()).get("/bare", [])]
    assert len(arrived) == posts, f"{len(arrived)} of {posts} bare posts arrived"
    return (max(arrived) - started) / 1e6


async def _hang(provider: str) -> None:
    async with aiohttp.ClientSession() as http, http.put(provider) as answer:
        answer.raise_for_status()


@dataclass(frozen=True)
class Storm:
    """The cases, and milliseconds since the first press was sent."""

    cases: list[CaseId]
    accepted: float
    """Until the last press was accepted."""
    rings: list[float]
    """Until each ring over a provider that works had arrived."""
    began: datetime

    async def opened(self, desk: CaseDesk) -> float:
        """Until the last case was opened, by the machine's clock."""
        last = max([(await desk.load(case)).alarm.at for case in self.cases])
        return (last - self.began).total_seconds() * 1e3


async def _ours(scene: Scene, households: list[HouseholdId]) -> Storm:
    tokens = {h: await scene.system.token("device", h) for h in households}

    async def press(household: HouseholdId) -> tuple[CaseId, int]:
        headers = {"Authorization": f"Bearer {tokens[household]}", "Idempotency-Key": uuid.uuid4().hex}
        async with scene.system.http.post("/v1/alarms", json={}, headers=headers) as answer:
            assert answer.status == 202, await answer.text()
            return case_id_for(household, PressId((await answer.json())["press"])), time.monotonic_ns()

    started, began = time.monotonic_ns(), now()
    pressing = asyncio.gather(*(press(household) for household in households))
    arrived = await _arrivals(scene, len(households))
    pressed = await pressing
    cases = [case for case, _ in pressed]
    expected = {
        ring for case, household in zip(cases, households, strict=True) for ring in _rings(scene, case, household)
    }
    assert arrived.keys() == expected, "a ring is missing, or one that nobody asked for arrived"
    return Storm(
        cases=cases,
        accepted=(max(at for _, at in pressed) - started) / 1e6,
        rings=[(at - started) / 1e6 for at in arrived.values()],
        began=began,
    )


async def _arrivals(scene: Scene, alarms: int) -> dict[str, int]:
    """When each first ring arrived; where it takes long, cases widen meanwhile. Fails when one arrives twice."""
    alive = sum(number % len(scene.providers) != len(scene.providers) - 1 for number in range(RESPONDERS))
    seen: dict[str, int] = {}

    async def all_there() -> bool:
        for posts in (await scene.arrivals()).values():
            for name, at in posts:
                assert name not in seen, f"ring {name} arrived twice"
                if name.endswith(FIRST):
                    seen[name] = at
        return len(seen) >= alarms * alive

    await until(all_there, f"{alarms * alive} rings to arrive", seconds=120, every=LOOK_SECONDS)
    return seen


def _rings(scene: Scene, case: CaseId, household: HouseholdId) -> list[str]:
    """The rings of `case` that go over providers that work; see `write_roster` for who is reached over which."""
    people = [member(household, n) for n in range(RESPONDERS - len(POSTS))]
    people += [post_holder(AreaId("v-storm"), role) for role in POSTS]
    dead = len(scene.providers) - 1
    return [first_ring(case, person) for n, person in enumerate(people) if n % len(scene.providers) != dead]


async def _outcomes(desk: CaseDesk, cases: list[CaseId]) -> Counter[str]:
    """How many first calls came to what, once nothing of them is owed any more; the open pages are left out."""
    settled: dict[CaseId, Case] = {}

    async def done() -> bool:
        for case_id in cases:
            if case_id not in settled:
                case = await desk.load(case_id)
                if any(call.owed() for call in case.calls.values() if call.step == 0):
                    return False
                settled[case_id] = case
        return True

    await until(done, "every outcome to be recorded", seconds=RECORDED_SECONDS, every=LOOK_SECONDS)
    calls = (call for case in settled.values() for call in case.calls.values() if call.step == 0)
    return Counter(call.outcomes["webhook"].outcome for call in calls)
