"""Presses as they come in, before they are on disk: who is called is read from the roster while they are stored.

A press is taken from its stream alone, where it may come late, twice or, refused, never. But the message that stores it
passes everybody who listens to its subject, and what is read from then on is there when the press is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.identifiers import HouseholdId, Site


@asynccontextmanager
async def overhearing(nc: Client, site: Site | str, heard: Callable[[HouseholdId], None]) -> AsyncIterator[None]:
    """While this lasts `heard` is told of each household whose press comes in. Raises `nats.errors.Error`."""

    async def hear(message: Msg) -> None:
        heard(HouseholdId(message.subject.rpartition(".")[2]))

    subscription = await nc.subscribe(f"intake.press.{site}.*", cb=hear)
    try:
        yield
    finally:
        with suppress(NatsError):
            await subscription.unsubscribe()
