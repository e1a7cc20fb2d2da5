"""A bucket, and what it holds now, all of it: read to its end, never to what merely had arrived by then.

nats-py's own `KeyValue.watch` takes a bucket for empty when the server's "nothing is pending" overtakes the values that
it sent just before; then a group is not in the roster, and a token that should be revoked is not found.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.kv import KV_MARKER_REASON, KV_OP, KeyValue

from dispatch.errors import Unavailable

ANSWER_SECONDS = 5.0
AT_ONCE = 1024
NOTHING_LEFT = {"404", "408"}
FORGOTTEN_SECONDS = 60.0
"""How long the server keeps a reading that could not be deleted."""


def bucket_at(nc: Client, name: str, *, seconds: float = ANSWER_SECONDS, direct: bool = True) -> KeyValue:
    """The bucket `name`, which is there; each of its answers may take `seconds`.

    `await js.key_value(name)` would ask the server what is known here, each time. With `direct=False` the stream's
    leader is asked: what anybody has written before is seen for certain.
    """
    js = nc.jetstream(timeout=seconds)
    return KeyValue(name=name, stream=f"KV_{name}", pre=f"$KV.{name}.", js=js, direct=direct)


async def latest(nc: Client, bucket: str, keys: str) -> AsyncIterator[tuple[str, Msg]]:
    """Every key of `bucket` that matches the subject pattern `keys`, once, with the message that holds its value.

    In the order in which they were written, all as it was in one moment, which comes when all is read; what was deleted
    is left out. Raises `Unavailable` when the server does not answer within five seconds, or a part was lost on the
    way.
    """
    newest: dict[str, Msg] = {}
    async with aclosing(_words(nc, bucket, keys)) as words:
        async for key, message in words:
            newest.pop(key, None)
            if not is_deleted(message.headers):
                newest[key] = message
    for item in newest.items():
        yield item


async def as_read(nc: Client, bucket: str, keys: str) -> AsyncGenerator[tuple[str, Msg]]:
    """As `latest`, but each as soon as it is read, for whom a part helps, or who could not hold it all.

    A key that is written anew meanwhile may come again, and one that is deleted meanwhile may have come before. Close
    it (`aclosing`) when you do not read to the end.
    """
    async with aclosing(_words(nc, bucket, keys)) as words:
        async for key, message in words:
            if not is_deleted(message.headers):
                yield key, message


async def _words(nc: Client, bucket: str, keys: str) -> AsyncGenerator[tuple[str, Msg]]:
    """The newest word on each key, deletions too, and whatever is written until all is read."""
    prefix, stream = f"$KV.{bucket}.", f"KV_{bucket}"
    try:
        reading = await _consumer(nc, stream, prefix + keys)
        async with aclosing(_messages(nc, bucket, stream, reading)) as messages:
            async for message in messages:
                yield message.subject.removeprefix(prefix), message
    except (NatsError, TimeoutError) as error:
        raise Unavailable(f"the bucket {bucket} does not answer: {error!r}; try again") from error


async def _messages(nc: Client, bucket: str, stream: str, reading: ConsumerInfo) -> AsyncGenerator[Msg]:
    """What the consumer `reading` has, which is deleted then.

    What is new is read as well, to the moment in which nothing is left: a key that is written anew before its turn has
    no older word any more, so that to stop after as many as there were at first would leave it out.
    """
    came, left, is_all = 0, reading.num_pending or 0, False
    try:
        while not is_all:
            page = await _page(nc, f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{reading.name}")
            for message in page:
                came += 1
                if message.metadata.sequence.consumer != came:
                    raise _lost(bucket)
                left = message.metadata.num_pending
                yield message
            is_all = not page or (len(page) < AT_ONCE and not left)
        if left and await _sent(nc, stream, str(reading.name)) != came:
            raise _lost(bucket)
    finally:
        with suppress(NatsError):  # best effort, and nobody waits for it: else the server does so a while later
            await nc.publish(f"$JS.API.CONSUMER.DELETE.{stream}.{reading.name}")


def _lost(bucket: str) -> Unavailable:
    return Unavailable(f"a part of the bucket {bucket} was lost on the way; try again")


async def _consumer(nc: Client, stream: str, subject: str) -> ConsumerInfo:
    """A new consumer that has the last message of each subject that there is now, and then those that are written."""
    config = ConsumerConfig(
        filter_subject=subject,
        deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
        ack_policy=AckPolicy.NONE,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=FORGOTTEN_SECONDS,
    )
    return await nc.jetstream(timeout=ANSWER_SECONDS).add_consumer(stream, config)


async def _sent(nc: Client, stream: str, reading: str) -> int:
    """How many messages the server has sent to a reading: what it said was left can have gone meanwhile."""
    delivered = (await nc.jetstream(timeout=ANSWER_SECONDS).consumer_info(stream, reading)).delivered
    return delivered.consumer_seq if delivered is not None else 0


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


def is_deleted(headers: Mapping[str, str] | None) -> bool:
    """Whether a message of a bucket, with these headers, says that its key is gone: deleted, or its time was over."""
    return headers is not None and (KV_OP in headers or KV_MARKER_REASON in headers)
