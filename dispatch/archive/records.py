"""A stored message as a line of the archive, sealed: its seal is the SHA-256 of the seal before it and of the line."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

import msgspec
from nats.aio.msg import Msg

from dispatch.events.codec import STORED_AT

BEGINNING = "0" * 64
"""The seal before the first record."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A message as the stream has it; `data` as text where it is UTF-8, else as base64 in `data64`."""

    seq: int
    subject: str
    at: datetime
    headers: dict[str, str] = {}
    data: str = ""
    data64: str | None = None

    def __post_init__(self) -> None:
        if self.subject.count(".") < 2:
            raise ValueError(f"{self.subject[:80]!r} is no subject of ours")
        self.body()

    def body(self) -> bytes:
        """What the message holds."""
        return self.data.encode() if self.data64 is None else base64.b64decode(self.data64, validate=True)


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the archive."""

    record: Record
    seal: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Sealed, strict=True)


def record_of(message: Msg) -> Record:
    """The record of a message that a consumer delivered.

    One that was restored is recorded as it was at first, so that its seal is the same.
    """
    headers = dict(message.headers or {})
    stored_at = headers.pop(STORED_AT, None)
    metadata = message.metadata
    try:
        text, coded = message.data.decode(), None
    except UnicodeDecodeError:
        text, coded = "", base64.b64encode(message.data).decode()
    return Record(
        seq=metadata.sequence.stream,
        subject=message.subject,
        at=datetime.fromisoformat(stored_at) if stored_at else metadata.timestamp,
        headers=headers,
        data=text,
        data64=coded,
    )


def seal_of(record: Record, before: str) -> str:
    """The seal of `record` behind a record whose seal is `before`; in hexadecimal."""
    return hashlib.sha256(before.encode() + _encoder.encode(record)).hexdigest()


def line_of(sealed: Sealed) -> bytes:
    return _encoder.encode(sealed) + b"\n"


def sealed_of(line: bytes) -> Sealed:
    """The record in a line of the archive. Raises `msgspec.DecodeError` for anything else."""
    return _decoder.decode(line)
