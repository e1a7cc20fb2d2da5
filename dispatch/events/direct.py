"""Reading stored messages without a consumer, many in one round trip (nats-server ADR-31, direct get)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.errors import Unavailable
from dispatch.events.inbox import inbox_of

ANSWER_SECONDS = 2.0
END_OF_BATCH, NOT_FOUND = "204", "404"


async def direct_get(nc: Client, stream: str, request: dict[str, object]) -> list[Msg]:
    """The messages that answer one batched request, oldest first.

    Raises `Unavailable` when the answer does not end within two seconds, or a part of it was lost: each message
    says which was sent before it (`Nats-Last-Sequence`), and so does the end.
    """
    return await _Answers(stream).to(nc, [(f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode())])


async def last_of_each(nc: Client, stream: str, subjects: Sequence[str]) -> list[Msg]:
    """The last message on each of `subjects`, in no order; a subject without any is left out.

    One request for each, all sent at once: the server finds each by its subject alone, while a batched request for
    many walks the files between the oldest and the newest. Raises `Unavailable` when not all answer within two seconds.
    """
    if not subjects:
        return []
    requests = [(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"") for subject in subjects]
    return await _Answers(stream, expected=len(subjects)).to(nc, requests)


def as_delivered(nc: Client, found: Msg, *, by: str, times: int = 1) -> Msg:
    """`found` by a direct get, as the consumer `by` delivers it, for the `times`th time.

    Its time is the server's, to the nanosecond: ids are made of it. It cannot be acknowledged.
    """
    headers = dict(found.headers or {})
    seq, nanos = headers["Nats-Sequence"], _nanos_of(headers["Nats-Time-Stamp"])
    delivered = f"$JS.ACK.{headers['Nats-Stream']}.{by}.{times}.{seq}.1.{nanos}.0"
    return Msg(nc, subject=headers["Nats-Subject"], reply=delivered, data=found.data, headers=headers)


def _nanos_of(stamp: str) -> int:
    """Nanoseconds since 1970 of a time in UTC as Go writes it: with nine decimals at most, zeros left out."""
    whole, _, decimals = stamp.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()) * 10**9 + int(decimals.ljust(9, "0"))


class _Answers:
    """What comes back: up to the end of one batch, or `expected` single answers."""

    def __init__(self, stream: str, expected: int | None = None) -> None:
        self._stream, self._left = stream, expected
        self._messages: list[Msg] = []
        self._last_seq = "0"
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def to(self, nc: Client, requests: Sequence[tuple[str, bytes]]) -> list[Msg]:
        try:
            inbox = await inbox_of(nc)
            with inbox.listening(self._receive) as reply:
                for subject, body in requests:
                    await nc.publish(subject, body, reply=reply)
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._done
        except (NatsError, TimeoutError) as error:
            raise Unavailable(f"stream {self._stream} does not answer: {error!r}") from error
        return self._messages

    def _receive(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status")
        if (
            self._left is None
            and status in {None, END_OF_BATCH}
            and headers.get("Nats-Last-Sequence") != self._last_seq
        ):
            self._end(Unavailable(f"a part of the answer of stream {self._stream} was lost on the way"))
        self._last_seq = headers.get("Nats-Sequence", self._last_seq)
        if status is None:
            self._messages.append(message)
        elif status not in {END_OF_BATCH, NOT_FOUND}:
            self._end(Unavailable(f"stream {self._stream} answered {status}"))
        if self._left is None:
            if status is not None:
                self._end()
            return
        self._left -= 1
        if self._left == 0:
            self._end()

    def _end(self, error: Exception | None = None) -> None:
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)
