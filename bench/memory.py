"""Memory of each process: after the start of a fresh system, and after a load, beside bare Python with nats-py."""

from __future__ import annotations

import asyncio
import sys

import psutil

from bench import last_call
from bench.results import Memory
from bench.scene import RESPONDERS, scene
from tests.system import ROLES, System
from tests.waiting import until

_BARE = """
import asyncio, sys, nats
async def main():
    connection = await nats.connect(sys.argv[1])
    print("connected", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def compare(alarms: int) -> Memory:
    """The load is `alarms` alarms of thirteen calls each, all of them rung and recorded."""
    async with scene(alarms) as stage:
        started = await held(stage.system)
        bare = await _bare(stage.system.settings.require_nats())
        played = await last_call.compare(stage)
        loaded = await held(stage.system)
    return Memory(
        title=f"memory of each process, before and after {alarms} alarms of {RESPONDERS} calls",
        processes={name: (size, loaded[name]) for name, size in started.items()},
        bare=bare,
        facts=played.facts,
    )


async def held(system: System) -> dict[str, int]:
    """Resident bytes of `dispatch up` and of all that it runs, by role or server.

    Those of Postgres's processes, which share most of theirs, are added up by proportional shares (PSS).
    """
    roles = {await until(lambda role=role: system.pid(role), f"{role} to answer"): role for role in ROLES}  # type: ignore[misc]
    up = psutil.Process(next(iter(roles))).parent()
    assert up is not None
    sizes = {"dispatch up": up.memory_info().rss} | dict.fromkeys([*ROLES, "nats-server", "postgres"], 0)
    for child in up.children(recursive=True):
        name = roles.get(child.pid) or ("postgres" if child.name().startswith("postgres") else child.name())
        sizes[name] = sizes.get(name, 0) + (
            child.memory_full_info().pss if name == "postgres" else child.memory_info().rss
        )
    assert all(sizes.values()), f"a process was not found: {sizes}"
    return sizes


async def _bare(url: str) -> int:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _BARE, url, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 20)
        return int(psutil.Process(process.pid).memory_info().rss)
    finally:
        process.kill()
        await process.wait()
