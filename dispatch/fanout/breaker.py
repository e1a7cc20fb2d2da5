"""Whether a provider is worth calling now. Time comes in; nothing here waits.

Open, it holds calls back; after a pause it is half open: one call is let through to see, and what becomes of that one
closes it or opens it again. It must lose no call that would have come through, hence these numbers:

- It opens after `FAILURES` calls in a row that got no answer, tries of one call counted once, so that one broken
  endpoint of a provider does not speak for all; and not before nothing has come through for `SPAN_SECONDS`, so that a
  provider that restarts costs a try or two, as without a breaker, and not its calls.
- `PAUSE_SECONDS` is like a call's own pauses between its tries (0.2 to 4 s), and a tenth of what a call without another
  way waits (`lanes.Limits.budget`). So such a call has as many chances as without a breaker, and a provider that
  recovers is found a second later at most.
- What one failure says is believed for one pause and no longer: a probe without an answer by then is written off.
- A provider that throttles says for how long (RFC 9110, 10.2.3), and is believed for `LONGEST_PAUSE_SECONDS` at most:
  what one endpoint was told for a day may not silence all others (RFC 6585, 4, leaves open whom a 429 counts).
"""

from __future__ import annotations

from typing import Literal

FAILURES = 5
SPAN_SECONDS = 2.0
PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0

State = Literal["closed", "open", "half_open"]


class Breaker:
    """What is known of one provider. All times are seconds of one monotonic clock.

    A try is told by when it began. While the breaker is not closed only the probe's outcome counts: others are older.
    """

    def __init__(self) -> None:
        self.why = ""
        """What went wrong last."""
        self.since = 0.0
        """When it was closed last; of use while it is not."""
        self._failures, self._row_began = 0, 0.0
        self._reopens: float | None = None
        self._probe: float | None = None

    @property
    def is_new(self) -> bool:
        """Whether nothing is held against the provider."""
        return self._reopens is None and not self._failures

    @property
    def is_closed(self) -> bool:
        """Whether calls go through; the state that does not change with time."""
        return self._reopens is None

    def state(self, at: float) -> State:
        if self._reopens is None:
            return "closed"
        if self._probe is not None and at >= self._probe + PAUSE_SECONDS:
            self._reopens, self._probe = self._probe + 2 * PAUSE_SECONDS, None
            self.why = "it does not answer"
        return "open" if at < self._reopens else "half_open"

    def lets_pass(self, at: float) -> bool:
        """Whether a call may be tried now."""
        state = self.state(at)
        return state == "closed" or (state == "half_open" and self._probe is None)

    def changes(self) -> float:
        """When it will be worth asking again. Only while it is not closed."""
        assert self._reopens is not None  # noqa: S101
        return self._reopens if self._probe is None else self._probe + PAUSE_SECONDS

    def began(self, at: float) -> None:
        """A call that was let pass begins its try."""
        if self._reopens is not None:
            self._probe = at

    def answered(self, began: float) -> bool:
        """The provider gave an answer, whatever it was. Whether that closed the breaker."""
        if self._reopens is not None and began != self._probe:
            return False
        closes = self._reopens is not None
        self._failures, self._reopens, self._probe = 0, None, None
        return closes

    def failed(self, began: float, at: float, why: str, *, first: bool) -> bool:
        """A try got no answer of use; `first` unless the same call was tried before. Whether it is open anew."""
        if self._reopens is not None:
            if began == self._probe:
                self._open(at, at + PAUSE_SECONDS, why)
                return True
            return False
        if not first:
            return False
        self._row_began = min(self._row_began, began) if self._failures else began
        self._failures += 1
        if self._failures < FAILURES or at - self._row_began < SPAN_SECONDS:
            return False
        self._open(at, at + PAUSE_SECONDS, why)
        return True

    def throttled(self, at: float, seconds: float, why: str) -> bool:
        """The provider asks for no calls for so long. Whether it is open anew, or for longer, for that."""
        until = at + min(seconds, LONGEST_PAUSE_SECONDS)
        if self._reopens is not None and until <= self._reopens:
            return False
        self._open(at, until, why)
        return True

    def _open(self, at: float, until: float, why: str) -> None:
        if self._reopens is None:
            self.since = at
        self._reopens, self._probe, self.why = until, None, why
