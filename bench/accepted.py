"""Press accepted and durable: ours over HTTP at a steady pace, beside one fsynced publish to the same server."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable

import aiohttp
from rich.progress import track

from bench.figures import Comparison, Goal, Measured
from bench.scene import Scene, console
from dispatch.identifiers import HouseholdId

PER_SECOND = 100
WARM_UP = 50
GOAL = Goal(p50=3, p99=10, bare_p50=0.43, bare_p99=1.2)


async def compare(scene: Scene, presses: int) -> Comparison:
    """Measure both, one after the other, `presses` times each at 100 a second."""
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
        title=f"press accepted and durable, {PER_SECOND}/s",
        bare=Measured("one publish, fsynced", await _paced(scene, bare, presses, "bare publish")),
        ours=Measured("POST /v1/alarms to 202", await _paced(scene, ours, presses, "POST /v1/alarms")),
        goal=GOAL,
    )


async def _paced(scene: Scene, act: Callable[[HouseholdId], Awaitable[None]], times: int, label: str) -> list[float]:
    """Milliseconds of each `act`, started at the pace whatever the one before is doing (no coordinated omission)."""
    took: list[float] = []

    async def one(number: int) -> None:
        started = time.perf_counter_ns()
        await act(scene.households[number % len(scene.households)])
        if number >= WARM_UP:
            took.append((time.perf_counter_ns() - started) / 1e6)

    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in track(range(times + WARM_UP), description=label, console=console, transient=True):
            await asyncio.sleep(max(0.0, begin + number / PER_SECOND - loop.time()))
            group.create_task(one(number))
    return took
