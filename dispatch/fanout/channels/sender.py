"""What every channel offers: send a ring, and say what came of it."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from dispatch.fanout.ring import Ring


class Sent(msgspec.Struct, frozen=True):
    """What came of one ring. `gone`: this contact point will never work again and is to be retired."""

    outcome: Literal["failed", "sent", "delivered"]
    reason: str | None = None
    gone: bool = False


class Sender(Protocol):
    """A channel. `send` takes some seconds at most and raises nothing but `CancelledError`.

    `point` is a contact point of the channel's own kind, or None for a channel that has none.
    """

    async def send(self, ring: Ring, point: Any) -> Sent: ...


def failed(reason: str, *, gone: bool = False) -> Sent:
    return Sent("failed", reason, gone)
