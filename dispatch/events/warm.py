"""Keeping what an alarm reads in the memory of nats-server: the first alarm of a night is then as fast as one of many.

nats-server keeps a stream in files of up to 8 MiB, a bucket in files of 4, and reads a message with its whole file.
That stays in memory until nothing was read of it for ten seconds or Go collects garbage, which it does every two
minutes at least, and its index of subjects until nobody asked for two minutes (`defaultLargeBlockSize`,
`defaultKVBlockSize`, `defaultCacheBufferExpiration`, `finishedWithCache` and `defaultFssExpiration` in
`server/filestore.go` of 2.15; no setting changes them). So what a quiet night leaves on disk costs an alarm
milliseconds for each file, and more files the larger the roster. A message that is read here and there in time keeps
all of it, or has it back within a round.
"""

from __future__ import annotations

import asyncio
import json
import random

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import StreamState

from dispatch.events.stopping import end_if_stopping
from dispatch.events.streams import CASES, ROSTER, TOKENS

MIB = 1024 * 1024
KEPT = (f"KV_{ROSTER}", f"KV_{TOKENS}", CASES)
"""What an alarm reads: who is called, whose token it is, and what was there before."""
ROUND_SECONDS = 4.0
"""All is read once in this time: twice in the ten seconds after which the server lets go of it."""
APART = 2 * MIB
"""Bytes between two messages that are read, by the mean of the stream: four to a file, two to a file of a bucket."""
ANSWER_SECONDS = 2.0


async def keep_warm(nc: Client, mib: int) -> None:
    """Keep the newest `mib` MiB of each of roster, tokens and log in the server's memory until cancelled."""
    async with asyncio.TaskGroup() as group:
        for stream in KEPT:
            group.create_task(keep(nc, stream, mib * MIB))


async def keep(nc: Client, stream: str, most: int) -> None:
    """Read a bit of each file of the newest `most` bytes of `stream`, again and again, until cancelled.

    The stream must allow direct gets. While the server is away, or has no such stream, nothing is done.
    """
    js = nc.jetstream(timeout=ANSWER_SECONDS)
    while True:
        try:
            places = places_in((await js.stream_info(stream)).state, most)
            for place in places:
                # not in a batch, for which the server counts what is left behind it
                request = json.dumps({"seq": place, "next_by_subj": ">"}).encode()
                await nc.request(f"$JS.API.DIRECT.GET.{stream}", request, timeout=ANSWER_SECONDS)
                end_if_stopping()
                await asyncio.sleep(ROUND_SECONDS / len(places))
        except (NatsError, TimeoutError):
            places = []
        end_if_stopping()
        if not places:
            await asyncio.sleep(ROUND_SECONDS)


def places_in(state: StreamState, most: int) -> list[int]:
    """Sequence numbers, oldest first, of which one at least falls into each file of the newest `most` bytes.

    That is so where bytes are spread evenly over the numbers. One key that was changed a hundred thousand times leaves
    as many numbers without a message: behind them whole files are passed over, and stay as cold as they were.
    They are others each time, by chance: the server lets go of a file when its last message is read.
    """
    kept = min(state.bytes, most)
    if not kept:
        return []
    span = (state.last_seq - state.first_seq + 1) * kept / state.bytes
    number = -(-kept // APART)
    begin, step = state.last_seq + 1 - span, span / number
    return [int(begin + step * (each + random.random())) for each in range(number)]  # noqa: S311 - no secret
