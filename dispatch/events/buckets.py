"""What a bucket holds now, all of it: read to its end, never to what merely had arrived by then.

nats-py's own `KeyValue.watch` takes a bucket for empty when the server's "nothing is pending" overtakes the values that
it sent just before; then a group is not in the roster, and a token that should be revoked is not found.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.kv import KV_MARKER_REASON, KV_OP

from dispatch.errors import Unavailable

ANSWER_SECONDS = 5.0
AT_ONCE = 1024
NOTHING_LEFT = {"404", "408"}
FORGOTTEN_SECONDS = 60.0
"""How long the server keeps a reading open that nobody goes on with."""


async def latest(nc: Client, bucket: str, keys: str) -> AsyncIterator[tuple[str, Msg]]:
    """Every key of `bucket` that matches the subject pattern `keys`, with the message that holds its value.

    In the order in which they were written; what was deleted is left out. Raises `Unavailable` when the server does not
    answer within five seconds, or a part was lost on the way.
    """
    prefix, stream = f"$KV.{bucket}.", f"KV_{bucket}"
    try:
        reading = await _consumer(nc, stream, prefix + keys)
        came, is_all = 0, False
        while not is_all:
            page = await _page(nc, f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{reading}")
            is_all = len(page) < AT_ONCE
            for message in page:
                came += 1
                if message.metadata.sequence.consumer != came:
                    raise Unavailable(f"a part of the bucket {bucket} was lost on the way; try again")
                if not _is_deleted(message):
                    yield message.subject.removeprefix(prefix), message
    except (NatsError, TimeoutError) as error:
        raise Unavailable(f"the bucket {bucket} does not answer: {error!r}; try again") from error


async def _consumer(nc: Client, stream: str, subject: str) -> str:
    """The name of a new consumer that has the last message of each subject that there is now."""
    config = ConsumerConfig(
        filter_subject=subject,
        deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
        ack_policy=AckPolicy.NONE,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=FORGOTTEN_SECONDS,
    )
    return str((await nc.jetstream(timeout=ANSWER_SECONDS).add_consumer(stream, config)).name)


async def _page(nc: Client, subject: str) -> list[Msg]:
    """The next messages, `AT_ONCE` where there are as many."""
    came: list[Msg] = []
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def hear(message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is None:
            came.append(message)
        if ended.done() or (status is None and len(came) < AT_ONCE):
            return
        if status is None or status in NOTHING_LEFT:
            ended.set_result(None)
        else:
            ended.set_exception(Unavailable(f"{subject} answered {status}; try again"))

    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox, cb=hear, pending_msgs_limit=-1, pending_bytes_limit=-1)
    try:
        await nc.publish(subject, json.dumps({"batch": AT_ONCE, "no_wait": True}).encode(), reply=inbox)
        async with asyncio.timeout(ANSWER_SECONDS):
            await ended
    finally:
        with suppress(NatsError):
            await subscription.unsubscribe()
    return came


def _is_deleted(message: Msg) -> bool:
    headers = message.headers or {}
    return KV_OP in headers or KV_MARKER_REASON in headers
