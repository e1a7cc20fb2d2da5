"""A site whose log can be told cases, and its reports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dispatch.events import CaseLog, connect, ensure_streams
from dispatch.projections import Projector, ReadModels
from dispatch.settings import Settings
from tests.integration.reports.office import Office


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    nc = await connect(settings.require_nats(), "test")
    await ensure_streams(nc.jetstream())
    log, dsn = CaseLog(nc, settings.site), settings.require_postgres()
    office = Office(log, ReadModels(dsn, settings.site), Projector(nc, log, dsn))
    yield office
    await office.models.close()
    await nc.close()
