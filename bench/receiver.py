"""The responders' providers: a process of its own that takes posts and remembers when each arrived.

`POST /<anything>` is stamped with the machine's monotonic clock, which all processes share, under the
request's `webhook-id` header. `GET /arrivals` gives `{"<path>": [[webhook-id, nanoseconds], …]}` and forgets.
Each port is a provider; after `PUT /` to one of them, that one takes posts and never answers.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict

import msgspec
import uvloop
from aiohttp import web

arrivals: dict[str, list[tuple[str, int]]] = defaultdict(list)
hanging: set[int] = set()


async def handle(request: web.BaseRequest) -> web.Response:
    at = time.monotonic_ns()
    assert request.transport is not None
    port = request.transport.get_extra_info("sockname")[1]
    if request.method == "GET":
        body = msgspec.json.encode(arrivals)
        arrivals.clear()
        return web.Response(body=body, content_type="application/json")
    if request.method == "PUT":
        hanging.add(port)
        return web.Response(status=204)
    await request.read()
    if port in hanging:
        await asyncio.Event().wait()
    arrivals[request.path].append((request.headers.get("webhook-id", ""), at))
    return web.Response(status=204)


async def main(ports: list[int]) -> None:
    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    for port in ports:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main([int(port) for port in sys.argv[1:]]))
