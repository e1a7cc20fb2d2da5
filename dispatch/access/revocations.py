"""Word of each token that is revoked, at once and without a read."""

from __future__ import annotations

from collections.abc import AsyncIterator

from nats.aio.client import Client

from dispatch.access.tokens import TOKEN_ID_LENGTH
from dispatch.events import TOKENS, is_deleted


async def revocations(nc: Client, site: str) -> AsyncIterator[str]:
    """The id of each token that is revoked from now on.

    Nothing is told again: what was missed while NATS was away is found by whoever checks now and then.
    """
    changes = await nc.subscribe(f"$KV.{TOKENS}.{site}.>")
    try:
        async for message in changes.messages:
            if is_deleted(message.headers):
                yield message.subject.rpartition(".")[2][:TOKEN_ID_LENGTH]
    finally:
        if nc.is_connected:
            await changes.unsubscribe()
