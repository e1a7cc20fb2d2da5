"""Somebody watches the watchdog: `serve` tells operators when it is not heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from dispatch.events import CaseLog
from dispatch.fanout import Watchdog, watchdog
from dispatch.settings import Settings
from dispatch.web import watched
from dispatch.web.tasks import Tasks
from dispatch.web.trouble import IncidentView, Trouble
from tests.waiting import until


@pytest.fixture
async def trouble(nc: Client, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trouble]:
    """What operators are shown by a `serve` that soon becomes impatient, on a site with nobody else."""
    monkeypatch.setattr(watched, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.1)
    told: list[str] = []
    shown, tasks = Trouble(nc, nats_settings.site, told.append), Tasks()
    shown.start(tasks)
    yield shown
    assert "incidents" in told
    await tasks.stop()


async def test_operators_see_that_nobody_watches_until_somebody_does(
    trouble: Trouble, nc: Client, nats_settings: Settings
) -> None:
    async def unwatched() -> IncidentView | None:
        return next((one for one in trouble.incidents if (one["kind"], one["what"]) == ("silent", "watch")), None)

    async def is_watched() -> bool:
        return await unwatched() is None

    incident = await until(unwatched, "the incident that nobody watches")
    assert incident["since"]
    watching = asyncio.create_task(Watchdog(nc, CaseLog(nc, nats_settings.site), nats_settings).run())
    await until(is_watched, "the watchdog to be heard")
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    again = await until(unwatched, "the incident to come back")
    assert str(again["since"]) > str(incident["since"])
