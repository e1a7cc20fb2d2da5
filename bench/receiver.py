"""The responders' providers: a process of its own that takes posts and remembers when each arrived.

`POST /<anything>` is stamped with the machine's monotonic clock, which all processes share, under the
request's `webhook-id` header. `GET /arrivals` gives `{"<path>": [[webhook-id, nanoseconds], …]}` and forgets.
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


async def handle(request: web.BaseRequest) -> web.Response:
    at = time.monotonic_ns()
    if request.method == "GET":
        body = msgspec.json.encode(arrivals)
        arrivals.clear()
        return web.Response(body=body, content_type="application/json")
    await request.read()
    arrivals[request.path].append((request.headers.get("webhook-id", ""), at))
    return web.Response(status=204)


async def main(port: int) -> None:
    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
