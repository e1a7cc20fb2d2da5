"""A village whose fan-out is away, and a watchdog that looks often and stands in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from dispatch.access import Links, load_keys
from dispatch.cases import (
    CaseDesk,
    RaiseAlarm,
)
from dispatch.clock import Clock, now
from dispatch.events import (
    CASES,
    Press,
)
from dispatch.fanout import rescue, standing_in, watchdog
from dispatch.identifiers import CommitId, PressId
from dispatch.roles import looked_subject, ping_subject
from dispatch.settings import Settings
from tests.fanout_streams import all_acknowledged
from tests.village import HOUSEHOLD, Village
from tests.waiting import until
from tests.workers import on_watch


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """All time limits of the watchdog much shorter, for tests that wait for them."""
    for name in ("OWED", "WAITING", "SILENT", "LATE", "UNTAKEN", "AWAY"):
        monkeypatch.setattr(watchdog, name, timedelta(seconds=0.5))
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(rescue, "AFTER", timedelta(seconds=1))


@asynccontextmanager
async def watching(village: Village, settings: Settings, clock: Clock = now) -> AsyncIterator[None]:
    keys = await load_keys(village.nc, village.site)
    links = Links(keys.link_secret, "https://dispatch.example")
    desk = CaseDesk(village.log)
    own = standing_in(village.nc, desk=desk, roster=village.roster, links=links, keys=keys, settings=settings)
    async with own as stand_in, on_watch(village, settings, stand_in=stand_in, clock=clock):
        yield


Hand = Callable[[Village, Settings], AbstractAsyncContextManager[object]]


def silent_press() -> RaiseAlarm:
    at = now()
    pressed = Press(
        press=PressId("silent"), household=HOUSEHOLD, device="key", source="http", pressed_at=at, silent=True
    )
    return RaiseAlarm(id=CommitId("press-silent"), at=at, accepted_at=at, press=pressed)


async def handled(village: Village, stream: str, job: str) -> bool:
    """Whether a fan-out has dealt with everything, once it is there."""
    with contextlib.suppress(NotFoundError):
        return await all_acknowledged(village.nc, stream, f"{job}-{village.site}")
    return False


def be_away_for(time: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long the fan-out must be away: longer than a busy machine keeps an answer back, where there is one."""
    for name in ("UNTAKEN", "AWAY"):
        monkeypatch.setattr(watchdog, name, time)


async def everybody_here(village: Village) -> None:
    """Every role answers, whatever else it does."""

    async def here(message: Msg) -> None:
        await message.respond(b"{}")

    for role in ("fanout", "serve", "project"):
        await village.nc.subscribe(ping_subject(village.site, role), cb=here)


class Looks:
    """Counts how often the watchdog has looked."""

    def __init__(self) -> None:
        self.count = 0

    async def heard(self, _message: Msg) -> None:
        self.count += 1

    async def some_more(self, number: int = 6) -> None:
        enough = self.count + number

        async def seen() -> bool:
            return self.count >= enough

        await until(seen, "some looks")


async def looks_at(village: Village) -> Looks:
    looks = Looks()
    await village.nc.subscribe(looked_subject(village.site), cb=looks.heard)
    return looks


async def in_hand(village: Village) -> None:
    """A fan-out that is slow takes the calls in hand."""
    consumed = await village.nc.jetstream().pull_subscribe(
        f"cases.{village.site}.*.*", durable=f"calls-{village.site}", stream=CASES
    )
    await consumed.fetch(1, timeout=5)
