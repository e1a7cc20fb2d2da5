"""Presses as they come in, before they are on disk: who is called is read from the roster while they are stored.

A press is taken from its stream alone, where it may come late, twice or, refused, never. But the message that stores it
passes everybody who listens to its subject, and what is read from then on is there when the press is.

Whoever listens hears a button gone mad, too, and a storm, in which a press waits for other things than reading: so the
server sends some in a second and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from dispatch.events import press_subject
from dispatch.events.going_on import going_on
from dispatch.identifiers import HouseholdId, Site

HEARD = 50
"""So many presses are overheard in `SECONDS`; at most as many more where one span ends and the next begins."""
SECONDS = 1.0


@asynccontextmanager
async def overhearing(nc: Client, site: Site | str, heard: Callable[[HouseholdId], None]) -> AsyncIterator[None]:
    """While this lasts `heard` is told of households whose press comes in."""

    async def hear(message: Msg) -> None:
        heard(HouseholdId(message.subject.rpartition(".")[2]))

    listening = asyncio.create_task(going_on("presses.overhearing", partial(_listen, nc, site, hear)))
    try:
        yield
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def _listen(nc: Client, site: Site | str, hear: Callable[[Msg], Awaitable[None]]) -> None:
    """Listen until cancelled, by a new subscription each second that ends by itself. Raises `nats.errors.Error`."""
    current: Subscription | None = None
    try:
        while True:
            await _end(current)  # first, or what comes in between would be heard twice
            current = await nc.subscribe(press_subject(site, "*"), cb=hear)
            await current.unsubscribe(limit=HEARD)
            await asyncio.sleep(SECONDS)
    finally:
        await _end(current)


async def _end(subscription: Subscription | None) -> None:
    with suppress(NatsError):  # the server has ended it, or is away
        if subscription is not None:
            await subscription.unsubscribe()
