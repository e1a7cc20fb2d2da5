"""What every role's process does beside its work: answer pings, report its health, and end when it is told to."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog
import uvloop
from aiohttp import web
from nats.aio.client import Client
from nats.aio.msg import Msg
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dispatch.clock import now
from dispatch.errors import SetupError
from dispatch.listening import why_refused
from dispatch.roles import Role, ping_subject
from dispatch.settings import Settings

log = structlog.get_logger()

OBJECTS_A_COLLECTION = 100_000
MANY_FILES = 65_536


def collect_rarely() -> None:
    """Look for unreachable cycles seldom: each look walks all that is in hand, and a storm, or a report of thousands of
    rows, has much in hand. What is there already is not looked at again.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_A_COLLECTION, *gc.get_threshold()[1:])


def open_many_files() -> None:
    """Let this process have as many sockets as it may.

    The usual soft limit of 1024 is less than a storm needs, and so many open pages, or strangers who say nothing, would
    keep every alarm out.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends, or until SIGTERM or Ctrl-C cancels it; what it has in hand it finishes first."""
    open_many_files()
    uvloop.run(_until_told(work))


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("process.stopped")


async def listen(runner: web.AppRunner, host: str, port: int, way_out: str) -> None:
    """Let `runner` serve on `port` of `host`. Raises `SetupError` with the reason and the `way_out` where it cannot."""
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except OSError as error:
        raise SetupError(f"port {port} {why_refused(error, host)}: {way_out}") from error


@asynccontextmanager
async def alive(nc: Client, role: Role, settings: Settings) -> AsyncIterator[None]:
    """Answer `ops.<site>.ping.<role>`, and on `settings.admin_port`, when it is set, `/healthz`, `/readyz`, `/metrics`.

    The admin port is for the machine's own monitoring: it is opened on loopback alone and tells no case's facts.
    Raises `SetupError` when it cannot be had, before any ping is answered.
    """
    since = now().isoformat()

    async def pong(message: Msg) -> None:
        await message.respond(json.dumps({"role": role, "pid": os.getpid(), "since": since}).encode())

    runner = await _admin_server(nc, role, settings.admin_port) if settings.admin_port is not None else None
    subscription = await nc.subscribe(ping_subject(settings.site, role), cb=pong)
    log.info("process.started", pid=os.getpid())
    try:
        yield
    finally:
        if runner is not None:
            await runner.cleanup()
        if nc.is_connected:
            await subscription.unsubscribe()


async def _admin_server(nc: Client, role: str, port: int) -> web.AppRunner:
    async def health(_: web.Request) -> web.Response:
        return web.json_response({"role": role, "status": "up"})

    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"role": role, "nats": nc.is_connected}, status=200 if nc.is_connected else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", health), web.get("/readyz", ready), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    way_out = (
        "give each process on this machine one of its own with DISPATCH_ADMIN_PORT, "
        f"or leave that unset for a `dispatch {role}` without /healthz, /readyz and /metrics"
    )
    await listen(runner, "127.0.0.1", port, way_out)
    return runner
