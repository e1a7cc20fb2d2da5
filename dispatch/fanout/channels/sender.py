"""What every channel offers: send a ring, and say what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from dispatch.fanout.ring import Ring


class Sent(msgspec.Struct, frozen=True):
    """What came of one ring. `gone`: this contact point will never work again and is to be retired.

    `later`, of a failure: it may succeed when tried again. The seconds are what the provider asked for, which then
    holds for all its calls; 0 when it asked for nothing and just gave no answer of use.
    """

    outcome: Literal["failed", "sent", "delivered"]
    reason: str | None = None
    gone: bool = False
    later: float | None = None


class Sender(Protocol):
    """A channel. `send` tries once, takes some seconds at most and raises nothing but `CancelledError`.

    `point` is a contact point of the channel's own kind, or None for a channel that has none. Trying again, waiting for
    a turn and leaving a broken provider alone is the lane's business (`dispatch.fanout.lanes`).
    """

    async def send(self, ring: Ring, point: Any) -> Sent: ...


@runtime_checkable
class HasProviders(Protocol):
    """A sender with more than one provider says whose a contact point is; the name stands in metrics and logs."""

    def provider(self, point: Any) -> str: ...


Unless = Callable[[], Awaitable[Sent | None]]
"""Asked before each try: what is said of the ring instead of sending it, or None where it is still to be sent."""


async def always() -> None:
    """`Unless` of what is to be sent whatever happens."""


def failed(reason: str, *, gone: bool = False) -> Sent:
    return Sent("failed", reason, gone)
