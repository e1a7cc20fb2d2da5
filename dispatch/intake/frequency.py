"""How often one device may press, so that a stuck key or a stolen token does not drown everybody else.

The first presses of a device always pass, and what is refused afterwards is a repetition: no alarm
is lost to it. Devices are counted apart, so that a stuck key takes nothing from another device of
the same household, and drills apart from real presses. Each process counts for itself.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec

from dispatch.errors import TooFrequent, Unavailable
from dispatch.events import Press
from dispatch.identifiers import PressId

_PRESSES_REMEMBERED = 16


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`burst` presses at once, then one each `seconds`; `senders` are remembered at most, the latest."""

    burst: int = 10
    seconds: float = 2.0
    senders: int = 16_384


class _Sender:
    def __init__(self, limits: Limits, at: datetime) -> None:
        self._limits = limits
        self._left = float(limits.burst)
        self._at = at
        self._passed: deque[PressId] = deque(maxlen=_PRESSES_REMEMBERED)
        self.accepted = False
        """Whether a press of the present burst was stored: "already accepted" must never be a guess."""

    def knows(self, press: PressId) -> bool:
        return press in self._passed

    def take(self, press: PressId, at: datetime) -> float:
        """Count `press`; 0, or the seconds to wait when it is one too many."""
        elapsed = max(0.0, (at - self._at).total_seconds())
        self._left = min(self._limits.burst, self._left + elapsed / self._limits.seconds)
        self._at = at
        self.accepted = self.accepted and self._left < self._limits.burst
        if self._left < 1:
            return (1 - self._left) * self._limits.seconds
        self._left -= 1
        self._passed.append(press)
        return 0.0

    def give_back(self, press: PressId) -> None:
        self._left = min(self._limits.burst, self._left + 1)
        if press in self._passed:
            self._passed.remove(press)


class Frequency:
    """Counts the presses of every device, in bounded memory."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._senders: OrderedDict[tuple[str, str, bool], _Sender] = OrderedDict()

    @contextmanager
    def counted(self, press: Press, at: datetime) -> Iterator[None]:
        """Within it, store `press`, which came in at `at`. A retry of a press that has passed is free.

        Raises `TooFrequent`. When the block raises `Unavailable` the press counts for nothing.
        """
        sender = self._sender(press, at)
        fresh = not sender.knows(press.press)
        if fresh and (wait := sender.take(press.press, at)):
            raise self._too_frequent(press, wait, accepted=sender.accepted)
        try:
            yield
        except Unavailable:
            if fresh:
                sender.give_back(press.press)
            raise
        sender.accepted = True

    def _sender(self, press: Press, at: datetime) -> _Sender:
        key = (press.household, press.device, press.drill)
        sender = self._senders.setdefault(key, _Sender(self._limits, at))
        self._senders.move_to_end(key)
        while len(self._senders) > self._limits.senders:
            self._senders.popitem(last=False)
        return sender

    def _too_frequent(self, press: Press, wait: float, *, accepted: bool) -> TooFrequent:
        known = (
            "is already accepted (警情已受理)" if accepted else "is being stored, its answer is on the way (正在受理)"
        )
        return TooFrequent(
            f"more than {self._limits.burst} presses in a row: the alarm of household {press.household} {known}; "
            f"press again in {wait:.1f} s if something has changed",
            retry_after=math.ceil(wait * 10) / 10,
            press_id=press.press,
        )
