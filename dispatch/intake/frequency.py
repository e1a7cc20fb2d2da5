"""How often one device may press, so that a stuck key or a stolen token does not drown everybody else.

The first presses of a device always pass, and what is refused afterwards is a repetition: no alarm
is lost to it. A case that is over has nothing to repeat: after each, one more press passes. Devices are
counted apart, so that a stuck key takes nothing from another device of the same household, and drills
apart from real presses. Each process counts for itself.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec

from dispatch.errors import TooFrequent, Unavailable
from dispatch.events import Press
from dispatch.identifiers import CaseId, PressId

_PRESSES_REMEMBERED = 16


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`burst` presses at once, then one each `seconds`; `senders` are remembered at most, the latest."""

    burst: int = 10
    seconds: float = 2.0
    senders: int = 16_384
    exceptions: int = 6
    """Presses beyond these that may open a new case within a minute: not even a false alarm a second calls a group."""


class _Sender:
    def __init__(self, limits: Limits, at: datetime) -> None:
        self._limits = limits
        self._left = float(limits.burst)
        self._at = at
        self._passed: deque[PressId] = deque(maxlen=_PRESSES_REMEMBERED)
        self._exception: tuple[CaseId, PressId] | None = None
        self._excepted: deque[datetime] = deque(maxlen=limits.exceptions)
        self.accepted = False
        """Whether a press of the present burst was stored: "already accepted" must never be a guess."""

    def knows(self, press: PressId) -> bool:
        return press in self._passed

    def take(self, press: PressId, at: datetime) -> float:
        """Count `press`; 0, or the seconds to wait when it is one too many."""
        if wait := self.wait(at):
            return wait
        self._left -= 1
        self._passed.append(press)
        return 0.0

    def wait(self, at: datetime) -> float:
        """The seconds until one more press may pass; 0 when it may now."""
        elapsed = max(0.0, (at - self._at).total_seconds())
        self._left = min(self._limits.burst, self._left + elapsed / self._limits.seconds)
        self._at = at
        self.accepted = self.accepted and self._left < self._limits.burst
        return max(0.0, 1 - self._left) * self._limits.seconds

    def except_after(self, over: CaseId, press: PressId, at: datetime) -> bool:
        """Let `press` pass as the one that is one too many after the case `over`; False when there was one."""
        if self._exception is not None and self._exception[0] == over:
            return False
        if len(self._excepted) == self._limits.exceptions and at - self._excepted[0] < timedelta(minutes=1):
            return False
        self._excepted.append(at)
        self._exception = (over, press)
        self._passed.append(press)
        return True

    def give_back(self, press: PressId) -> None:
        if self._exception is not None and self._exception[1] == press:
            self._exception = None
        else:
            self._left = min(self._limits.burst, self._left + 1)
        if press in self._passed:
            self._passed.remove(press)


class Frequency:
    """Counts the presses of every device, in bounded memory."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._senders: OrderedDict[tuple[str, str, bool], _Sender] = OrderedDict()

    def is_spent(self, press: Press, at: datetime) -> bool:
        """Whether `counted` would refuse `press` at `at`, unless its household's newest case is over."""
        sender = self._sender(press, at)
        return not sender.knows(press.press) and sender.wait(at) > 0

    @contextmanager
    def counted(self, press: Press, at: datetime, *, over: CaseId | None = None) -> Iterator[None]:
        """Within it, store `press`, which came in at `at`. A retry of a press that has passed is free.

        `over` is the household's newest case when that is over: then one press passes that is one too many,
        since it would open a case.
        Raises `TooFrequent`. When the block raises `Unavailable` the press counts for nothing.
        """
        sender = self._sender(press, at)
        fresh = not sender.knows(press.press)
        wait = sender.take(press.press, at) if fresh else 0.0
        if wait and not (over and sender.except_after(over, press.press, at)):
            raise self._too_frequent(press, wait, accepted=sender.accepted, over=over)
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

    def _too_frequent(self, press: Press, wait: float, *, accepted: bool, over: CaseId | None) -> TooFrequent:
        if over:
            known = "was ended each time; telephone 110 if you need help (如需帮助请拨打110)"
        elif accepted:
            known = "is already accepted (警情已受理)"
        else:
            known = "is being stored, its answer is on the way (正在受理)"
        return TooFrequent(
            f"more than {self._limits.burst} presses in a row: the alarm of household {press.household} {known}; "
            f"press again in {wait:.1f} s if something has changed",
            retry_after=math.ceil(wait * 10) / 10,
            press_id=press.press,
        )
