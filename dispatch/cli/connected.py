"""A connection for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client

from dispatch.events import connect, ensure_streams
from dispatch.identifiers import Site
from dispatch.moved_clock import go_by_settings
from dispatch.settings import load_settings
from dispatch.telemetry import configure_command


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Client, Site]]:
    """NATS with our streams and buckets, and the site, as the settings say. Raises `SetupError` without a server."""
    settings = load_settings()
    configure_command(settings)
    go_by_settings(settings)
    nc = await connect(settings.require_nats(), "dispatch-cli")
    try:
        await ensure_streams(nc.jetstream(), settings.replicas)
        yield nc, Site(settings.site)
    finally:
        await nc.close()
