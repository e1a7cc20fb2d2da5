"""What a process that takes presses says of the store of presses while that is slow, or takes none."""

from __future__ import annotations

from datetime import datetime

import msgspec

from dispatch.errors import Unreadable


class Strained(msgspec.Struct, frozen=True, kw_only=True):
    """Since `since`, at the process `who`: presses refused, or stored late, and those that wait too long now."""

    who: str
    since: datetime
    refused: int
    slow: int
    waiting: int


def decode_strained(body: bytes) -> Strained:
    """Raises `Unreadable`."""
    try:
        return msgspec.json.decode(body, type=Strained)
    except msgspec.DecodeError as error:
        raise Unreadable(f"word of strain that cannot be read: {error}") from None
