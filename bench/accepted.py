"""Press accepted and durable: ours over HTTP at a steady pace, beside one fsynced publish to the same server."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable

import aiohttp
from rich.progress import track

from bench.figures import Goal, Measured
from bench.results import Comparison
from bench.scene import Scene, console
from dispatch.identifiers import HouseholdId
from dispatch.intake import Limits

PER_SECOND = 100
WARM_UP = 50
GOAL = Goal(p50=3, p99=10, bare_p50=0.43, bare_p99=1.2)


async def compare(scene: Scene, presses: int) -> Comparison:
    """Measure both, one after the other, `presses` times each at 100 a second, or slower with few households."""
    per_second = pace(len(scene.households))
    js = scene.system.nc.jetstream()
    tokens = {h: await scene.system.token("device", h) for h in scene.households}
    body = {"kind": "help"}

    async def bare(household: HouseholdId) -> None:
        # The same server and settings; a site that nobody serves, so that only the storing is measured.
        await js.publish(
            f"intake.press.bare.{household}", json.dumps(body).encode(), headers={"Nats-Msg-Id": uuid.uuid4().hex}
        )

    async def ours(household: HouseholdId) -> None:
        headers = {"Authorization": f"Bearer {tokens[household]}", "Idempotency-Key": uuid.uuid4().hex}
        async with scene.system.http.post("/v1/alarms", json=body, headers=headers) as answer:
            if answer.status != 202:
                raise aiohttp.ClientError(f"{answer.status} {await answer.text()}")

    return Comparison(
        title=f"press accepted and durable, {per_second:g}/s, each on its household's open case",
        bare=Measured("one publish, fsynced", await _paced(scene, bare, presses, "bare publish")),
        ours=Measured("POST /v1/alarms to 202", await _paced(scene, ours, presses, "POST /v1/alarms")),
        goal=GOAL,
    )


def pace(households: int) -> float:
    """Presses a second that no key is refused for: each may press once in `Limits.seconds`."""
    return min(PER_SECOND, households / Limits().seconds)


async def _paced(scene: Scene, act: Callable[[HouseholdId], Awaitable[None]], times: int, label: str) -> list[float]:
    """Milliseconds of each `act`, started at the pace whatever the one before is doing (no coordinated omission)."""
    took: list[float] = []

    async def one(number: int) -> None:
        started = time.perf_counter_ns()
        await act(scene.households[number % len(scene.households)])
        if number >= WARM_UP:
            took.append((time.perf_counter_ns() - started) / 1e6)

    loop = asyncio.get_running_loop()
    begin, per_second = loop.time(), pace(len(scene.households))
    async with asyncio.TaskGroup() as group:
        for number in track(range(times + WARM_UP), description=label, console=console, transient=True):
            await asyncio.sleep(max(0.0, begin + number / per_second - loop.time()))
            group.create_task(one(number))
    return took
