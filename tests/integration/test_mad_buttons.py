"""A button gone mad on a real nats-server: it is thrown out and held, and everybody else comes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta

import pytest
from nats.aio.client import Client

from dispatch.access import Tokens
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.events import Incident, IncidentBook, connect, ensure_streams
from dispatch.intake import ButtonGate, Expelling, Holds
from tests.buttons import Button, is_cut_off, needs_mosquitto
from tests.waiting import until

pytestmark = [pytest.mark.embedded, needs_mosquitto]

SITE = "county"


class Gate:
    """The gate of a site with its watch over the buttons; `clock` is what time it is there."""

    def __init__(self, nc: Client, server: EmbeddedNats) -> None:
        self.nc, self._server = nc, server
        self.tokens, self._book = Tokens(nc, SITE), IncidentBook(nc, SITE)
        self.holds = Holds()
        self.late = timedelta()

    def clock(self) -> datetime:
        return now() + self.late

    @asynccontextmanager
    async def open(self, holds: Holds) -> AsyncIterator[None]:
        server = self._server
        parts = (
            ButtonGate(self.nc, SITE, server.auth_callout_seed, self.tokens.check, holds=holds),
            Expelling(self.nc, SITE, server.system_url, holds, clock=self.clock),
        )
        tasks = [asyncio.create_task(part.run()) for part in parts]
        try:
            await asyncio.sleep(0)
            await self.nc.flush()
            yield
            assert not [task for task in tasks if task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def button(self, household: str, secret: str, client: str | None = None) -> Button:
        return Button(self._server.mqtt_port, SITE, household, secret, client=client)

    async def incident(self) -> Incident | None:
        return (await self._book.told("button.>")).get("button.h-1")

    async def cut_off(self) -> bool:
        system = await connect(self._server.system_url, "test")
        try:
            return await is_cut_off(system, "h-1/mad")
        finally:
            await system.close()

    def flood(self, secret: str) -> AbstractAsyncContextManager[None]:
        return self.button("h-1", secret, "h-1/mad").flood()


@pytest.fixture
async def gate(fresh_nats: EmbeddedNats) -> AsyncIterator[Gate]:
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    yield Gate(nc, fresh_nats)
    await nc.close()


async def test_a_mad_button_is_thrown_out_and_shown_and_nobody_else_is(gate: Gate) -> None:
    mad, other, calm = [(await gate.tokens.issue("device", h)).secret for h in ("h-1", "h-1", "h-2")]
    async with gate.open(gate.holds), gate.button("h-2", calm) as hearing, gate.flood(mad):
        incident = await until(gate.incident, "the desk to see it", seconds=60)
        await until(gate.cut_off, "it to be cut off")
        assert "h-1" in incident.detail

        async def refused() -> bool:
            return "not authori" in (await gate.button("h-1", mad).press({"press_id": "a1"})).lower()

        await until(refused, "its token to be held outside")
        assert not await gate.button("h-1", other).press({"press_id": "b1"}), "another device of the household"
        assert not await gate.button("h-2", calm).press({"press_id": "c1"})
        await gate.nc.publish(f"intake.answer.{SITE}.h-2", b'{"press_id": "c1"}')
        assert (await hearing.answer())["press_id"] == "c1", "who was signed in still is"


async def test_a_second_gate_knows_whom_the_first_holds(gate: Gate) -> None:
    mad = (await gate.tokens.issue("device", "h-1")).secret
    theirs = Holds()
    async with gate.open(gate.holds), gate.open(theirs):
        async with gate.flood(mad):
            await until(gate.incident, "the desk to see it", seconds=60)
        (token,) = {hold.token for hold in gate.holds.shown(now())}
        assert theirs.wait(token, now()) > 0


async def test_after_its_time_it_may_come_in_again_and_the_desk_is_told_that_it_is_over(gate: Gate) -> None:
    mad = (await gate.tokens.issue("device", "h-1")).secret
    async with gate.open(Holds(first=timedelta(milliseconds=1), longest=timedelta(milliseconds=1))):
        async with gate.flood(mad):
            await until(gate.incident, "the desk to see it", seconds=60)

        async def admitted() -> bool:
            return not await gate.button("h-1", mad).press({"press_id": "a1"})

        await until(admitted, "it to be admitted again", seconds=60)
        gate.late = timedelta(minutes=3)

        async def over() -> bool:
            return await gate.incident() is None

        await until(over, "the incident to be over")
