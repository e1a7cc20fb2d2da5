"""Strangers who connect and say nothing keep nobody out, also where a process may open few files at first."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE

import aiohttp

SOFT_LIMIT, SILENT = 128, 200

SERVING = f"""
import asyncio, resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({SOFT_LIMIT}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

from aiohttp import web
from dispatch.process import run

async def answer(_):
    return web.Response(text="taken")

async def work():
    app = web.Application()
    app.router.add_post("/alarm", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

run(work())
"""


async def test_an_alarm_is_taken_beside_more_silent_connections_than_the_soft_limit_has_files() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVING, stdout=PIPE)
    silent: list[asyncio.StreamWriter] = []
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), 60))
        connections = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(SILENT)))
        silent += [writer for _, writer in connections]
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
            session.post(f"http://127.0.0.1:{port}/alarm") as answer,
        ):
            assert await answer.text() == "taken"
    finally:
        for writer in silent:
            writer.close()
        process.kill()
        await process.wait()
