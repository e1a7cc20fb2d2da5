"""A lane for each channel: how many calls are tried at once and how fast, for how long, and what is tried again.

In a lane each provider has a share of its own. One that hangs, throttles or fails holds its own calls back and nobody
else's: a provider never has more turns than are left free, so that some always are (dynamic thresholds: Choudhury
and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998). One alone has half the lane.

A call waits for its turn as long as its provider answers others, however long that takes: it is not lost in a storm.
While the provider does not answer it waits for `Limits.budget`; who has another way does not wait at all but is told
at once, so that the other way is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from math import inf

import msgspec
import structlog

from dispatch.events import Channel
from dispatch.fanout.breaker import Breaker
from dispatch.fanout.channels import Sent
from dispatch.fanout.channels.sender import failed
from dispatch.fanout.metrics import NOT_ANSWERING, OLDEST_WAITING, REFUSED, WAITING
from dispatch.fanout.turns import Place, Queue, Rank

log = structlog.get_logger()

PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Between the tries of one call."""
GONE_SECONDS = 600.0
"""Who was held back and is not called for so long is forgotten: an endpoint that nobody has any more, most likely."""
LATE = Sent("failed", "no answer in time; it may have arrived", later=0.0)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`at_once` calls being tried, half of them with one provider; `per_second` for each provider, in bursts of one
    second's worth; `seconds` for one try, `budget` for a call from its first try on.
    """

    at_once: int = 1024
    per_second: float = inf
    seconds: float = 5.0
    budget: float = 10.0


LIMITS: Mapping[Channel, Limits] = {
    "sms": Limits(at_once=64, seconds=8.0),
    "apprise": Limits(at_once=64, seconds=10.0),
}
"""Where a channel needs others than `Limits()`: those that work in threads or over one connection. What took a
messenger's whole time is not sent again, for not every one knows a ring by its id."""


class _Waiter:
    """One call that waits for a turn. The turn is when it came, or the reason why there will be none."""

    def __init__(self, since: float, until: float, *, another: bool) -> None:
        self.since, self.until, self.another = since, until, another
        self.turn: asyncio.Future[float | str] = asyncio.get_running_loop().create_future()


class _Provider:
    def __init__(self, name: str) -> None:
        self.name = name
        self.in_hand = 0
        self.queue: Queue[_Waiter] = Queue()
        self.breaker = Breaker()
        self.booked_until = 0.0
        """Up to when its rate is used up (the generic cell rate algorithm, ITU-T I.371)."""
        self.timer: asyncio.TimerHandle | None = None
        self.used = 0.0

    @property
    def is_idle(self) -> bool:
        return not self.in_hand and not self.queue and self.breaker.is_new and not self.booked_until


class Lane:
    """The calls of one channel on their way to its providers."""

    def __init__(self, channel: Channel, limits: Limits) -> None:
        self._channel, self._limits = channel, limits
        self._in_hand = 0
        self._providers: dict[str, _Provider] = {}
        self._queued: dict[str, _Provider] = {}
        self._loop = asyncio.get_running_loop()
        for rank in Rank:
            WAITING.labels(channel, rank.name.lower()).set_function(partial(self.waiting, rank))
        OLDEST_WAITING.labels(channel).set_function(self.oldest)

    async def send(
        self, provider: str, place: Place, once: Callable[[], Awaitable[Sent]], *, another: bool = False
    ) -> Sent:
        """Try `once` until it says something final or the budget is used up. `another`: there is another way.

        Where nothing is in the way it begins at once, without another task and without yielding.
        """
        tried, end = 0, inf
        while True:
            of = self._provider(provider)
            began = await self._turn(of, place, end, another=another)
            if isinstance(began, str):
                return failed(_after(began, tried))
            tried += 1
            end = min(end, began + self._limits.budget)
            try:
                sent = await self._within_time(once)
                self._learn(of, sent, began, first=tried == 1)
            finally:
                self._give_back(of)
            if sent.later is None:
                return sent
            pause = max(PAUSES_SECONDS[min(tried, len(PAUSES_SECONDS)) - 1], sent.later)
            if self._loop.time() + pause > end:
                return failed(_after(sent.reason or "", tried))
            if of.breaker.is_closed:
                await asyncio.sleep(pause)

    def waiting(self, rank: Rank) -> int:
        """How many calls of `rank` wait for a turn."""
        return sum(of.queue.of(rank) for of in self._queued.values())

    def oldest(self) -> float:
        """How long the call that has waited longest has waited for a turn, in seconds; 0 when none waits."""
        since = min((waiter.since for of in self._queued.values() for _, waiter in of.queue.entries()), default=None)
        return 0.0 if since is None else self._loop.time() - since

    async def _within_time(self, once: Callable[[], Awaitable[Sent]]) -> Sent:
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await once()
        except TimeoutError:
            return LATE

    def _provider(self, name: str) -> _Provider:
        found = self._providers.get(name)
        if found is None:
            found = self._providers[name] = _Provider(name)
        return found

    async def _turn(self, of: _Provider, place: Place, end: float, *, another: bool) -> float | str:
        """Wait for a turn with the provider; when it came, or why there will be none."""
        now = self._loop.time()
        if not of.queue and self._is_free(of, now):
            self._take(of, now)
            return now
        waiter = _Waiter(now, end, another=another)
        if (refusal := self._refusal(of, waiter, now)) is not None:
            return refusal
        of.queue.push(place, waiter)
        self._queued[of.name] = of
        self._look_again(of, now)
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.cancelled():
                self._remove(of, place, waiter)
            elif isinstance(waiter.turn.result(), float):  # the turn came in the same moment
                self._give_back(of)
            raise

    def _is_free(self, of: _Provider, now: float) -> bool:
        return (
            of.in_hand < self._limits.at_once - self._in_hand
            and of.breaker.lets_pass(now)
            and of.booked_until <= now + 1.0
        )

    def _take(self, of: _Provider, now: float) -> None:
        self._in_hand += 1
        of.in_hand += 1
        of.used = now
        of.breaker.began(now)
        if self._limits.per_second < inf:
            of.booked_until = max(of.booked_until, now) + 1 / self._limits.per_second

    def _give_back(self, of: _Provider) -> None:
        self._in_hand -= 1
        of.in_hand -= 1
        if self._queued:
            self._call_next()
        if of.is_idle:
            self._providers.pop(of.name, None)

    def _call_next(self) -> None:
        """Give turns to whoever can have one now, the most urgent first."""
        now = self._loop.time()
        while free := [of for of in self._queued.values() if self._is_free(of, now)]:
            of = min(free, key=lambda of: (of.queue.urgency(), of.in_hand))
            waiter = of.queue.pop()
            if not of.queue:
                del self._queued[of.name]
            if not waiter.turn.done():  # one that is being cancelled wants none
                self._take(of, now)
                waiter.turn.set_result(now)

    def _learn(self, of: _Provider, sent: Sent, began: float, *, first: bool) -> None:
        now, why = self._loop.time(), sent.reason or ""
        if sent.later is None:
            if of.breaker.answered(began):
                NOT_ANSWERING.labels(self._channel, of.name).set(0)
                log.warning("provider.answers_again", channel=self._channel, provider=of.name)
            return
        was_closed = of.breaker.is_closed
        if sent.later:
            opened = of.breaker.throttled(now, sent.later, why)
        else:
            opened = of.breaker.failed(began, now, why, first=first)
        if opened:
            self._sort_out(of)
        if opened and was_closed:
            NOT_ANSWERING.labels(self._channel, of.name).set(1)
            self._loop.call_later(GONE_SECONDS, self._forget, of.name)
            log.error("provider.held_back", channel=self._channel, provider=of.name, reason=why)

    def _forget(self, name: str) -> None:
        """Forget a provider that was held back, unless it was called lately: then look again."""
        of = self._providers.get(name)
        left = of.used + GONE_SECONDS - self._loop.time() if of is not None else 0.0
        if of is not None and (of.in_hand or of.queue or left > 0):
            self._loop.call_later(max(left, 1.0), self._forget, name)
            return
        self._providers.pop(name, None)
        with suppress(KeyError):
            NOT_ANSWERING.remove(self._channel, name)

    def _refusal(self, of: _Provider, waiter: _Waiter, now: float) -> str | None:
        """Why `waiter` need not wait for the provider, or None when that is worth it."""
        state = of.breaker.state(now)
        if state == "closed":
            return None
        until = min(waiter.until, max(waiter.since, of.breaker.since) + self._limits.budget)
        hopeless = now > until or (state == "open" and (waiter.another or of.breaker.changes() > until))
        if not hopeless:
            return None
        REFUSED.labels(self._channel).inc()
        return f"the provider is not called for a while: {of.breaker.why}"

    def _sort_out(self, of: _Provider) -> None:
        """Tell those for whom waiting is not worth it any more; look again when that may change."""
        if not of.queue:
            return
        now = self._loop.time()
        for place, waiter in list(of.queue.entries()):
            if not waiter.turn.done() and (refusal := self._refusal(of, waiter, now)) is not None:
                self._remove(of, place, waiter)
                waiter.turn.set_result(refusal)
        if of.queue:
            self._look_again(of, now)

    def _remove(self, of: _Provider, place: Place, waiter: _Waiter) -> None:
        of.queue.remove(place, waiter)
        if not of.queue:
            self._queued.pop(of.name, None)

    def _look_again(self, of: _Provider, now: float) -> None:
        when = max(0.0 if of.breaker.is_closed else of.breaker.changes(), of.booked_until - 1.0)
        if when <= now:  # a turn that is given back will do
            return
        if of.timer is not None:
            of.timer.cancel()
        of.timer = self._loop.call_at(when, self._looked_again, of)

    def _looked_again(self, of: _Provider) -> None:
        of.timer = None
        self._call_next()
        self._sort_out(of)


def _after(reason: str, tried: int) -> str:
    return f"{reason}; tried {tried} times" if tried > 1 else reason
