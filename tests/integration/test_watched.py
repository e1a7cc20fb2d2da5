"""Somebody watches the watchdog: `serve` tells operators when it is not heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from dispatch.events import CaseLog, connect, ensure_streams
from dispatch.fanout import Watchdog, watchdog
from dispatch.settings import Settings
from dispatch.web import watched
from dispatch.web.tasks import Tasks
from dispatch.web.trouble import IncidentView, Trouble
from tests.system import until


@pytest.fixture
async def trouble(nats_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trouble]:
    """What operators are shown by a `serve` that soon becomes impatient, on a site with nobody else."""
    monkeypatch.setattr(watched, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.1)
    nc = await connect(nats_url, "test")
    await ensure_streams(nc.jetstream())
    told: list[str] = []
    shown, tasks = Trouble(nc, settings.site, told.append), Tasks()
    shown.start(tasks)
    yield shown
    assert "incidents" in told
    await tasks.stop()
    await nc.close()


async def test_operators_see_that_nobody_watches_until_somebody_does(trouble: Trouble, settings: Settings) -> None:
    async def unwatched() -> IncidentView | None:
        return next((one for one in trouble.incidents if (one["kind"], one["what"]) == ("silent", "watch")), None)

    async def is_watched() -> bool:
        return await unwatched() is None

    incident = await until(unwatched, "the incident that nobody watches")
    assert incident["since"]
    nc = await connect(settings.require_nats(), "watch")
    watching = asyncio.create_task(Watchdog(nc, CaseLog(nc, settings.site), settings).run())
    await until(is_watched, "the watchdog to be heard")
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    again = await until(unwatched, "the incident to come back")
    assert str(again["since"]) > str(incident["since"])
    await nc.close()
