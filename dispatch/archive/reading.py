"""A stream from its beginning to where it ends now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from dispatch.archive.records import Record, record_of
from dispatch.errors import Unavailable
from dispatch.events import follow

SILENCE_SECONDS = 5.0


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
    while after < last:
        messages = cast("AsyncGenerator[Msg]", follow(nc, stream, ">", after=after))
        try:
            while after < last:
                async with asyncio.timeout(SILENCE_SECONDS):
                    message = await anext(messages)
                if message.metadata.sequence.stream > last:
                    return
                yield record_of(message)
                after = last if message.metadata.num_pending == 0 else message.metadata.sequence.stream
        except TimeoutError:
            _, end = await held(nc, stream)
            if end <= after or (await _first(nc, stream)) > last:
                return  # what was to come was deleted meanwhile
        finally:
            await messages.aclose()


async def _first(nc: Client, stream: str) -> int:
    """The sequence of the first message that is there; behind the last when there is none."""
    state = (await nc.jetstream().stream_info(stream)).state
    return state.first_seq if state.messages else state.last_seq + 1
