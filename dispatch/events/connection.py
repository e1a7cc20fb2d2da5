"""Connecting to NATS, so that a server that is away for a while is waited for and one that never was is named."""

from __future__ import annotations

import asyncio

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.errors import SetupError

log = structlog.get_logger()

FIRST_CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 0.1


async def connect(url: str, name: str, client: Client | None = None) -> Client:
    """A connection called `name` to the server at `url` that reconnects for ever once it was up; `client` if given.

    Raises `SetupError` when the server cannot be reached within ten seconds or refuses the login.
    """
    client = client or Client()
    why: Exception | None = None

    async def lost() -> None:
        if not client.is_closed:
            log.warning("nats.disconnected", connection=name)

    async def back() -> None:
        log.info("nats.reconnected", connection=name)

    async def failed(error: Exception) -> None:
        nonlocal why
        why = error
        log.debug("nats.error", connection=name, error=repr(error))

    try:
        await asyncio.wait_for(
            client.connect(
                url,
                name=name,
                connect_timeout=2,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]  # it sleeps for fractions, too
                ping_interval=10,
                pending_size=64 * 1024 * 1024,
                disconnected_cb=lost,
                reconnected_cb=back,
                error_cb=failed,
            ),
            FIRST_CONNECT_SECONDS,
        )
        return client
    except (NatsError, OSError, TimeoutError) as error:
        last = why if why is not None and isinstance(error, TimeoutError) else error
        raise SetupError(
            f"NATS at {_without_password(url)} does not answer ({type(last).__name__}: {last}); "
            "is it running, and are DISPATCH_NATS_URL and its password right?"
        ) from None


def _without_password(url: str) -> str:
    scheme, _, rest = url.rpartition("://")
    return f"{scheme or 'nats'}://{rest.rpartition('@')[2]}"
