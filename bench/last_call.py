"""Press to the last of thirteen providers having the request, beside thirteen bare posts at once."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from contextlib import closing

import aiohttp
from rich.progress import track

from bench.figures import Goal, Measured
from bench.phones import Phones
from bench.results import Comparison
from bench.scene import POSTS, RESPONDERS, VILLAGE, Scene, console, first_ring, member, post_holder
from dispatch.cases import CaseDesk
from dispatch.events import CaseLog
from dispatch.identifiers import CaseId, HouseholdId, PressId, case_id_for
from tests.waiting import until

PER_SECOND = 20
WARM_UP = 20
GOAL = Goal(p50=8, p99=30, bare_p50=2.0, bare_p99=2.8)


async def compare(scene: Scene) -> Comparison:
    """One alarm for each household at 20 a second; every outcome must be on the log afterwards."""
    bare = await _bare(scene, len(scene.households))
    ours, cases = await _ours(scene)
    recorded = await _all_recorded(scene, cases)
    return Comparison(
        title=f"press to the last of {RESPONDERS} providers having the request, {PER_SECOND} alarms/s",
        bare=Measured(f"{RESPONDERS} bare posts at once, by aiohttp's sessions", bare),
        ours=Measured("POST /v1/alarms written to an open connection, to last arrival", ours),
        goal=GOAL,
        facts={"alarms": len(cases), "calls": len(cases) * RESPONDERS, "outcomes_recorded": recorded},
    )


async def _bare(scene: Scene, times: int) -> list[float]:
    took: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def post(path: str, name: str) -> None:
            async with http.post(f"{scene.receiver}/{path}", data=b"{}", headers={"webhook-id": name}) as answer:
                await answer.read()

        for number in track(range(times), description="bare posts", console=console, transient=True):
            name, started = uuid.uuid4().hex, time.monotonic_ns()
            await asyncio.gather(*(post(f"bare{n}", name) for n in range(RESPONDERS)))
            arrived = await scene.arrivals()
            if number >= WARM_UP:
                last = max(at for posts in arrived.values() for _, at in posts)
                took.append((last - started) / 1e6)
            await asyncio.sleep(1 / PER_SECOND)
    return took


async def _ours(scene: Scene) -> tuple[list[float], list[CaseId]]:
    pressed: dict[HouseholdId, tuple[CaseId, int]] = {}
    tokens = {h: await scene.system.token("device", h) for h in scene.households}
    phones = Phones(scene.system.url)
    await scene.arrivals()

    async def press(household: HouseholdId) -> None:
        done = await phones.press(tokens[household], uuid.uuid4().hex)
        pressed[household] = (case_id_for(household, PressId(done.answer["press"])), done.at)

    loop = asyncio.get_running_loop()
    begin = loop.time()
    with closing(phones):
        async with asyncio.TaskGroup() as group:
            for number, household in enumerate(
                track(scene.households, description="alarms", console=console, transient=True)
            ):
                await asyncio.sleep(max(0.0, begin + number / PER_SECOND - loop.time()))
                group.create_task(press(household))
    last = await _last_arrivals(scene, {h: case for h, (case, _) in pressed.items()})
    took = [(last[case] - started) / 1e6 for case, started in list(pressed.values())[WARM_UP:]]
    return took, [case for case, _ in pressed.values()]


async def _last_arrivals(scene: Scene, cases: dict[HouseholdId, CaseId]) -> dict[CaseId, int]:
    """For each case, when the last of its calls arrived. Fails when one is missing or arrives twice."""
    expected = {
        first_ring(case, person): case
        for household, case in cases.items()
        for person in [
            *(member(household, n) for n in range(RESPONDERS - len(POSTS))),
            *(post_holder(VILLAGE, role) for role in POSTS),
        ]
    }
    times: dict[CaseId, list[int]] = defaultdict(list)
    seen: set[str] = set()

    async def all_there() -> bool:
        for posts in (await scene.arrivals()).values():
            for name, at in posts:
                if name in seen:
                    raise AssertionError(f"call {name} arrived twice")
                seen.add(name)
                times[expected[name]].append(at)
        return len(seen) == len(expected)

    await until(all_there, f"{len(expected)} calls to arrive")
    return {case: max(arrived) for case, arrived in times.items()}


async def _all_recorded(scene: Scene, cases: list[CaseId]) -> int:
    """How many calls have an outcome on the log, once nothing is owed any more."""
    desk = CaseDesk(CaseLog(scene.system.nc, scene.system.settings.site))

    async def done() -> int:
        loaded = [await desk.load(case) for case in cases]
        if any(case.owed() or not case.calls for case in loaded):
            return 0
        return sum(len(case.calls) for case in loaded)

    return await until(done, "every outcome to be recorded")
