"""A site whose read models a test rebuilds: on the session's log, or on a log of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dispatch.embedded import EmbeddedNats
from dispatch.events import CaseLog, connect, ensure_streams
from dispatch.projections import ReadModels
from dispatch.settings import Settings
from tests.integration.rebuild.site import Site


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    url, dsn = settings.require_nats(), settings.require_postgres()
    nc = await connect(url, "test")
    await ensure_streams(nc.jetstream())
    site = Site(nc, CaseLog(nc, settings.site), url, dsn, ReadModels(dsn, settings.site))
    yield site
    await site.models.close()
    await nc.close()


@pytest.fixture
async def by_itself(fresh_nats: EmbeddedNats, postgres_dsn: str) -> AsyncIterator[Site]:
    """A site on a log that holds nothing else, so that its cases lie where a test wants them."""
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    site = Site(nc, CaseLog(nc, "alone"), fresh_nats.url, postgres_dsn, ReadModels(postgres_dsn, "alone"))
    yield site
    await site.models.close()
    await nc.close()
