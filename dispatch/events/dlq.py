"""The DLQ: what could not be processed, with the reason, kept until somebody deals with it."""

from __future__ import annotations

from datetime import datetime

import msgspec
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from dispatch.clock import now, of_server
from dispatch.errors import Unreadable

_MAX_KEPT_BYTES = 64 * 1024


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that nobody could process: who tried, why it failed, where it stands, and its first 64 KiB."""

    by: str
    reason: str
    stream: str
    subject: str
    seq: int
    at: datetime
    headers: dict[str, str]
    body: bytes
    stored_at: datetime | None = None
    """When the message was stored; letters of an earlier version do not say."""


_decoder = msgspec.json.Decoder(DeadLetter)


async def bury(
    js: JetStreamContext, site: str, by: str, message: Msg, reason: str, *, after: int | None = None
) -> None:
    """Copy `message` to the DLQ with the `reason` why `by` could not process it; once, however often it is tried.

    `after` is an earlier letter about the same message that was dealt with: then this is another.

    The caller acknowledges the message afterwards, so that it is lost at no point.
    """
    metadata = message.metadata
    letter = DeadLetter(
        by=by,
        reason=reason,
        stream=metadata.stream,
        subject=message.subject,
        seq=metadata.sequence.stream,
        at=now(),
        headers={str(k): v for k, v in (message.headers or {}).items()},
        body=message.data[:_MAX_KEPT_BYTES],
        stored_at=of_server(metadata.timestamp),
    )
    message_id = f"{by}:{letter.stream}:{letter.seq}" + (f":after-{after}" if after else "")
    await js.publish(f"dlq.{site}.{by}", msgspec.json.encode(letter), headers={"Nats-Msg-Id": message_id})


def decode_letter(body: bytes) -> DeadLetter:
    """The dead letter in a message of the stream `DLQ`. Raises `Unreadable` when it is none."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Unreadable(f"not a dead letter: {error}") from None
