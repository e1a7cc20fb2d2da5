"""Which process is killed in which moment, and what else is broken meanwhile: the same for the same seed."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Literal, get_args

from nats.aio.msg import Msg

from dispatch.identifiers import PersonId
from tests.faults.rampage.account import Crash
from tests.faults.rampage.phones import CountyPhones, Mood
from tests.faults.rampage.stage import SITE, Stage, Victim

Moment = Literal[
    "press_stored", "alarm_raised", "phone_rings", "calls_recorded", "responder_replied", "escalated",
    "responders_stood_down", "case_resolved", "any",
]  # fmt: skip
Trouble = Literal["none", "cut", "slow", "errors"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)
VICTIMS: tuple[Victim, ...] = ("fanout", "serve", "nats", "fanout", "project", "postgres", "fanout", "watch")
"""The fan-out is killed most often, for it is the one that calls."""
TROUBLES: tuple[Trouble, ...] = ("none", "none", "cut", "slow", "errors")
MOODS: tuple[Mood, ...] = ("error", "throttle", "hang")

MOMENT_SECONDS = 6.0
"""A moment that does not come within this time is not waited for any longer."""
LATEST_AFTER_SECONDS = 0.03
SLOW_SECONDS = 0.15
BETWEEN_SECONDS = 0.8
TWICE_SHARE = 0.2
"""How often the next blow falls before the system has recovered from this one."""


@dataclass(frozen=True)
class Blow:
    """One kill: `victim` dies `after` seconds from `moment`, while there is `trouble`."""

    victim: Victim
    moment: Moment
    after: float
    trouble: Trouble
    at_once: bool


def blows(kills: int, seed: int) -> Iterator[Blow]:
    """`kills` blows: every victim in every moment in turn, in an order that the seed shuffles."""
    chance = random.Random(seed)
    pairs = list(itertools.product(VICTIMS, MOMENTS))
    while kills > 0:
        chance.shuffle(pairs)
        for victim, moment in pairs[:kills]:
            yield Blow(
                victim,
                moment,
                after=chance.uniform(0, LATEST_AFTER_SECONDS),
                trouble=chance.choice(TROUBLES),
                at_once=chance.random() < TWICE_SHARE,
            )
        kills -= len(pairs)


class Striker:
    """Waits for moments and strikes. `crashes` are all kills and cuts so far."""

    def __init__(self, stage: Stage, phones: CountyPhones, seed: int) -> None:
        self._stage, self._phones = stage, phones
        self._chance = random.Random(seed)
        self._seen: dict[Moment, asyncio.Event] = {moment: asyncio.Event() for moment in MOMENTS}
        self.crashes: list[Crash] = []

    async def listen(self) -> None:
        """Hear of every press and commit as the server stores them."""
        await self._stage.nc.subscribe(f"intake.press.{SITE}.*", cb=self._on_press)
        await self._stage.nc.subscribe(f"cases.{SITE}.*.*", cb=self._on_commit)

    async def strike(self, blow: Blow) -> None:
        """Carry `blow` out, and wait until the system answers again unless the next one is to fall at once."""
        people = await self._make(blow.trouble)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wait_for(blow.moment), MOMENT_SECONDS)
            await asyncio.sleep(blow.after)
            self.crashes.append(Crash(await self._stage.kill(blow.victim)))
            if not blow.at_once:
                await self.recovered()
                await asyncio.sleep(BETWEEN_SECONDS)
        finally:
            self._unmake(people)

    async def recovered(self) -> None:
        """Wait until the whole system answers; then every crash so far is over."""
        await self._stage.answering()
        for crash in self.crashes:
            crash.over = min(crash.over, monotonic())

    async def _wait_for(self, moment: Moment) -> None:
        if moment == "phone_rings":
            async with self._phones.ringing:
                await self._phones.ringing.wait()
        elif moment != "any":
            self._seen[moment].clear()
            await self._seen[moment].wait()

    async def _make(self, trouble: Trouble) -> list[PersonId]:
        if trouble == "cut":
            self.crashes.append(Crash(monotonic()))
            self._stage.nats_proxy.cut()
            self._stage.postgres_proxy.cut()
        elif trouble == "slow":
            self._stage.nats_proxy.delay_seconds = self._stage.postgres_proxy.delay_seconds = SLOW_SECONDS
        elif trouble == "errors":
            known = sorted({person for person, *_ in self._phones.rung})
            ill = self._chance.sample(known, len(known) // 3)
            self._phones.moods |= {person: self._chance.choice(MOODS) for person in ill}
            return ill
        return []

    def _unmake(self, ill: list[PersonId]) -> None:
        self._stage.nats_proxy.delay_seconds = self._stage.postgres_proxy.delay_seconds = 0.0
        for person in ill:
            self._phones.moods.pop(person, None)

    async def _on_press(self, _message: Msg) -> None:
        self._seen["press_stored"].set()

    async def _on_commit(self, message: Msg) -> None:
        for event in json.loads(message.data)["events"]:
            moment = event["type"].partition(".")[0]
            if moment in self._seen:
                self._seen[moment].set()
