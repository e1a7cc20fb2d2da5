"""A stream from its beginning to where it ends now."""

from __future__ import annotations

from collections.abc import AsyncIterator

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from dispatch.archive.records import Record, record_of
from dispatch.errors import Unavailable
from dispatch.events import follow


async def held(nc: Client, stream: str) -> tuple[int, int]:
    """How many messages `stream` holds, and its last sequence. Raises `Unavailable` without an answer."""
    try:
        state = (await nc.jetstream().stream_info(stream)).state
    except NotFoundError:
        return 0, 0
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable(f"stream {stream} does not answer: {error!r}") from error
    return state.messages, state.last_seq


async def records_of(nc: Client, stream: str, *, last: int, after: int = 0) -> AsyncIterator[Record]:
    """Every message of `stream` behind `after` up to sequence `last`, as records.

    It ends at the stream's end too, where the messages up to `last` are not there any more.
    """
    if after >= last:
        return
    async for message in follow(nc, stream, ">", after=after):
        if message.metadata.sequence.stream > last:
            return
        yield record_of(message)
        if message.metadata.sequence.stream == last or message.metadata.num_pending == 0:
            return
